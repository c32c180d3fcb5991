// SPDX-License-Identifier: Apache-2.0
//! The audit of one segment of a contribution: exact, so it either is what re-execution yields or not.

use super::{Course, State, Trainer};
use crate::{
    access::{fetch, BlobAccess},
    compress::encode_feedback,
    model::Keep,
    parallel::Means,
    progress::Progress,
    weights::Weights,
    Error, Result,
};
use agorai_primitives::{job::AuditSpec, BlobId};

/// Whether the segment's committed state is what its start state leads to, and the payload and the error
/// feedback are what the committed end state is compressed to; for the first segment also the first loss,
/// for the last one also the last loss.
///
/// A committed start state that is no state at all, or that leads to values that are not numbers, is the
/// worker's fault: no honest worker commits to it. A missing blob is not a verdict but an error.
pub fn audit(
    means: Means,
    keep: Keep,
    spec: &AuditSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<bool> {
    let recipe = &spec.train.recipe;
    if spec.segment >= recipe.segments() {
        return Err(Error::Spec("no such segment"));
    }
    progress.begin(recipe.segment_steps.into());
    let course = Course::new(&spec.train, blobs, progress)?;
    if spec.contribution.states.len() != recipe.segments() as usize {
        return Ok(false);
    }
    match replay(means, keep, spec, base, blobs, course) {
        Err(Error::Exact(_)) => Ok(false),
        verdict => verdict,
    }
}

fn replay(
    means: Means,
    keep: Keep,
    spec: &AuditSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    mut course: Course<'_>,
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
    let trainer = Trainer::new(means, &spec.train.architecture, &base.layout, start)?;
    let mut trainer = trainer.keeping(keep);
    let losses = course.segment(&mut trainer, spec.segment)?;
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
    let compressed = course.compress(means, blobs, base, &end.values)?;
    let matches = BlobId::of(&compressed.payload) == committed.payload
        && compressed.payload.len() as u64 == committed.payload_bytes
        && BlobId::of(&encode_feedback(&compressed.feedback)) == committed.error_feedback;
    if matches {
        // From now on the auditor serves it too: a worker cannot void the round by withholding it.
        blobs.put(&compressed.payload)?;
    }
    Ok(matches)
}
