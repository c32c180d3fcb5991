// SPDX-License-Identifier: Apache-2.0
//! A worker's share of a training round, and its audit.
//!
//! | module | contents |
//! |---|---|
//! | `schedule` | the learning rate of each inner step |
//! | `state` | parameters and optimiser moments between two inner steps |
//! | `step` | one inner step: forward, backward, clipping, AdamW |
//! | `run` | the inner steps of one worker in one round |
//! | `audit` | the re-execution of one segment |

mod audit;
mod run;
mod schedule;
mod state;
mod step;

pub use audit::audit;
pub use schedule::rate;
pub use state::State;
pub use step::Trainer;

use crate::{
    access::BlobAccess, compress::encode_feedback, error::Result, model::Checkpointing, parallel::ComputeConfig,
    progress::Progress, weights::Weights,
};
use agorai_primitives::{job::TrainSpec, training::Contribution, BlobId};
use run::TrainingRun;

/// Trains a worker's share of a round from `base`. The states after the segments, the payload and the error feedback
/// are stored as blobs.
pub fn train(
    compute: ComputeConfig,
    checkpointing: Checkpointing,
    spec: &TrainSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<Contribution> {
    progress.begin(spec.recipe.inner_steps.into());
    let mut states = Vec::new();
    let result = train_and_store(compute, checkpointing, spec, base, blobs, progress, &mut states);
    if result.is_err() {
        // The states of a failed training are of no use to any account.
        for state in &states {
            let _ = blobs.delete(state);
        }
    }
    result
}

fn train_and_store(
    compute: ComputeConfig,
    checkpointing: Checkpointing,
    spec: &TrainSpec,
    base: &Weights,
    blobs: &dyn BlobAccess,
    progress: &Progress,
    states: &mut Vec<BlobId>,
) -> Result<Contribution> {
    let mut run = TrainingRun::new(spec, blobs, progress)?;
    let start = State::start(base.values.clone());
    let trainer = Trainer::new(compute, &spec.architecture, &base.layout, start)?;
    let mut trainer = trainer.with_checkpointing(checkpointing);
    let (mut loss_first, mut loss_last) = (0, 0);
    for segment in 0..spec.recipe.segments() {
        let losses = run.segment(&mut trainer, segment)?;
        states.push(blobs.put(&trainer.state.to_bytes())?);
        if segment == 0 {
            loss_first = losses.first;
        }
        loss_last = losses.last;
    }
    let compressed = run.compress(compute, blobs, base, &trainer.state.values)?;
    Ok(Contribution {
        payload: blobs.put(&compressed.payload)?,
        payload_bytes: compressed.payload.len() as u64,
        error_feedback: blobs.put(&encode_feedback(&compressed.feedback))?,
        states: states.clone(),
        loss_first,
        loss_last,
    })
}
