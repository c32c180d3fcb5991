// SPDX-License-Identifier: Apache-2.0
//! The inner steps of one worker in one round.

use super::{schedule::rate, step::Trainer};
use crate::{
    access::{fetch, BlobAccess},
    compress::{compress, decode_feedback, Compressed},
    data::Data,
    error::{Error, Result},
    parallel::ComputeConfig,
    progress::Progress,
    weights::Weights,
};
use agorai_exact::elementwise;
use agorai_primitives::{job::TrainSpec, training::Recipe};

/// The mean losses of the first and the last step of a segment, in micro-nats per token.
pub(super) struct Losses {
    pub first: u64,
    pub last: u64,
}

/// What determines a worker's training besides its initial weights.
pub(super) struct TrainingRun<'a> {
    spec: &'a TrainSpec,
    data: Data<'a>,
    progress: &'a Progress,
}

impl<'a> TrainingRun<'a> {
    pub fn new(spec: &'a TrainSpec, blobs: &'a dyn BlobAccess, progress: &'a Progress) -> Result<Self> {
        if spec.worker >= spec.workers {
            return Err(Error::Spec("the worker does not exist"));
        }
        let data = Data::new(blobs, &spec.corpus, &spec.recipe, spec.seed, spec.workers)?;
        Ok(Self { spec, data, progress })
    }

    /// Performs the inner steps of one segment.
    pub fn segment(&mut self, trainer: &mut Trainer<'_>, segment: u32) -> Result<Losses> {
        let Recipe { segment_steps, .. } = self.spec.recipe;
        let from = segment * segment_steps;
        let mut losses = Losses { first: 0, last: 0 };
        for step in from..from + segment_steps {
            self.progress.check()?;
            let examples = self.data.step(self.spec.worker, step)?;
            let at = u64::from(self.spec.steps_before) + u64::from(step);
            let rate = rate(&self.spec.recipe, at, self.spec.steps_total.into());
            let loss = trainer.step(&examples, rate)?.mean_micro_nats();
            if step == from {
                losses.first = loss;
            }
            losses.last = loss;
            self.progress.step();
        }
        Ok(losses)
    }

    /// Compresses the pseudo-gradient `base - trained`.
    pub fn compress(
        &self,
        compute: ComputeConfig,
        blobs: &dyn BlobAccess,
        base: &Weights,
        trained: &[f32],
    ) -> Result<Compressed> {
        let feedback = match &self.spec.error_feedback {
            Some(id) => decode_feedback(&base.layout, &fetch(blobs, id)?),
            None => Vec::new(),
        };
        let mut delta = vec![0.0; trained.len()];
        elementwise::sub(compute.isa, &base.values, trained, &mut delta)?;
        compress(
            compute.isa,
            &base.layout,
            self.spec.recipe.compression,
            &delta,
            feedback,
        )
    }
}
