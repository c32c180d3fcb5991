// SPDX-License-Identifier: Apache-2.0
//! The audit of one segment of a contribution: re-execution either yields the committed bits or it does not.

use super::{run::TrainingRun, state::State, step::Trainer};
use crate::{
    access::{fetch, BlobAccess},
    compress::encode_feedback,
    error::{Error, Result},
    model::Checkpointing,
    parallel::ComputeConfig,
    progress::Progress,
    weights::Weights,
};
use agorai_primitives::{job::AuditSpec, BlobId};

/// Returns whether re-execution of the segment from its committed start state yields its committed end state, and
/// whether the payload and the error feedback are the compression of the committed end state; of the first segment also
/// whether it yields the first loss, of the last one the last loss.
///
/// A committed start state that is malformed, or that leads to NaNs, is the worker's fault: no honest worker commits to
/// it.
///
/// Errors: a segment outside the recipe, a missing blob (which is no verdict).
pub fn audit(
    compute: ComputeConfig,
    checkpointing: Checkpointing,
    spec: &AuditSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<bool> {
    let recipe = &spec.train.recipe;
    if spec.segment >= recipe.segments() {
        return Err(Error::Spec("the segment does not exist"));
    }
    progress.begin(recipe.segment_steps.into());
    let run = TrainingRun::new(&spec.train, blobs, progress)?;
    if spec.contribution.states.len() != recipe.segments() as usize {
        return Ok(false);
    }
    match replay(compute, checkpointing, spec, base, blobs, run) {
        Err(Error::Exact(_)) => Ok(false),
        verdict => verdict,
    }
}

fn replay(
    compute: ComputeConfig,
    checkpointing: Checkpointing,
    spec: &AuditSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    mut run: TrainingRun<'_>,
) -> Result<bool> {
    let (recipe, committed) = (&spec.train.recipe, &spec.contribution);
    let segment = spec.segment as usize;
    let start = match segment.checked_sub(1) {
        None => State::start(base.values.clone()),
        Some(before) => {
            let bytes = fetch(blobs, &committed.states[before])?;
            let step = spec.segment * recipe.segment_steps;
            match State::from_bytes(base.values.len(), step, &bytes) {
                Some(state) => state,
                None => return Ok(false),
            }
        }
    };
    let trainer = Trainer::new(compute, &spec.train.architecture, &base.layout, start)?;
    let mut trainer = trainer.with_checkpointing(checkpointing);
    let losses = run.segment(&mut trainer, spec.segment)?;
    if BlobId::of(&trainer.state.to_bytes()) != committed.states[segment]
        || (segment == 0 && losses.first != committed.loss_first)
    {
        return Ok(false);
    }
    let last = segment + 1 == committed.states.len();
    if last && losses.last != committed.loss_last {
        return Ok(false);
    }
    let end = if last {
        trainer.state
    } else {
        let Some(id) = committed.states.last() else {
            return Ok(false);
        };
        match State::from_bytes(base.values.len(), recipe.inner_steps, &fetch(blobs, id)?) {
            Some(state) => state,
            None => return Ok(false),
        }
    };
    let compressed = run.compress(compute, blobs, base, &end.values)?;
    let matches = BlobId::of(&compressed.payload) == committed.payload
        && compressed.payload.len() as u64 == committed.payload_bytes
        && BlobId::of(&encode_feedback(&compressed.feedback)) == committed.error_feedback;
    if matches {
        // The auditor serves it too, so a worker cannot void the round by withholding it.
        blobs.put(&compressed.payload)?;
    }
    Ok(matches)
}
