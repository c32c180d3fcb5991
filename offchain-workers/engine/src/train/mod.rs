// SPDX-License-Identifier: Apache-2.0
//! A worker's share of a round, and its audit.

mod audit;
mod schedule;
mod state;
mod step;

pub use audit::audit;
pub use schedule::rate;
pub use state::State;
pub use step::Trainer;

use crate::{
    access::{fetch, BlobAccess},
    compress::{compress, decode_feedback, encode_feedback, Compressed},
    data::Data,
    model::Keep,
    parallel::Means,
    progress::Progress,
    weights::Weights,
    Error, Result,
};
use agorai_exact::elementwise;
use agorai_primitives::{
    job::TrainSpec,
    training::{Contribution, Recipe},
    BlobId,
};

/// Losses of a segment, in micro-nats per token.
struct Losses {
    first: u64,
    last: u64,
}

/// What determines a worker's training besides the weights it starts from.
struct Course<'a> {
    spec: &'a TrainSpec,
    data: Data<'a>,
    progress: &'a Progress,
}

impl<'a> Course<'a> {
    fn new(spec: &'a TrainSpec, blobs: &'a dyn BlobAccess, progress: &'a Progress) -> Result<Self> {
        if spec.worker >= spec.workers {
            return Err(Error::Spec("no such worker"));
        }
        let data = Data::new(blobs, &spec.corpus, &spec.recipe, spec.seed, spec.workers)?;
        Ok(Self { spec, data, progress })
    }

    /// Makes the inner steps of one segment.
    fn segment(&mut self, trainer: &mut Trainer<'_>, segment: u32) -> Result<Losses> {
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

    /// Compresses what the round has changed.
    fn compress(&self, means: Means, blobs: &dyn BlobAccess, base: &Weights, trained: &[f32]) -> Result<Compressed> {
        let feedback = match &self.spec.error_feedback {
            Some(id) => decode_feedback(&base.layout, &fetch(blobs, id)?),
            None => Vec::new(),
        };
        let mut delta = vec![0.0; trained.len()];
        elementwise::sub(means.isa, &base.values, trained, &mut delta)?;
        compress(means.isa, &base.layout, self.spec.recipe.compression, &delta, feedback)
    }
}

/// Trains a worker's share of a round from `base`. The states after the segments, the payload and the
/// error feedback are stored as blobs.
pub fn train(
    means: Means,
    keep: Keep,
    spec: &TrainSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<Contribution> {
    progress.begin(spec.recipe.inner_steps.into());
    let mut states = Vec::new();
    let result = train_and_store(means, keep, spec, base, blobs, progress, &mut states);
    if result.is_err() {
        // Nobody will ask for the states of a round that came to nothing.
        for state in &states {
            let _ = blobs.delete(state);
        }
    }
    result
}

fn train_and_store(
    means: Means,
    keep: Keep,
    spec: &TrainSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
    states: &mut Vec<BlobId>,
) -> Result<Contribution> {
    let mut course = Course::new(spec, blobs, progress)?;
    let start = State::start(base.values.clone());
    let trainer = Trainer::new(means, &spec.architecture, &base.layout, start)?;
    let mut trainer = trainer.keeping(keep);
    let (mut loss_first, mut loss_last) = (0, 0);
    for segment in 0..spec.recipe.segments() {
        let losses = course.segment(&mut trainer, segment)?;
        states.push(blobs.put(&trainer.state.to_bytes())?);
        if segment == 0 {
            loss_first = losses.first;
        }
        loss_last = losses.last;
    }
    let compressed = course.compress(means, blobs, base, &trainer.state.values)?;
    Ok(Contribution {
        payload: blobs.put(&compressed.payload)?,
        payload_bytes: compressed.payload.len() as u64,
        error_feedback: blobs.put(&encode_feedback(&compressed.feedback))?,
        states: states.clone(),
        loss_first,
        loss_last,
    })
}
