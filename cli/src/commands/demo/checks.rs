// SPDX-License-Identifier: GPL-3.0-only
//! What the demo asserts about its training and its answer.

use crate::{
    chain::Chain,
    commands::{infer::Answer, model, train::CompletedPlan},
    error::{Error, Result},
};
use agorai_primitives::ModelId;
use std::collections::BTreeSet;

/// Checks that all rounds completed, that all `validators` trained, and that the final weights are live.
pub async fn check_training(
    chain: &Chain,
    model: ModelId,
    completed: &CompletedPlan,
    rounds: u32,
    validators: u16,
) -> Result<()> {
    let incomplete = |message: String| Err(Error::failed("TrainingIncomplete", message));
    if completed.rounds.len() != rounds as usize {
        return incomplete(format!(
            "{} of {rounds} rounds completed; void rounds: {:?}",
            completed.rounds.len(),
            completed.void
        ));
    }
    let workers: BTreeSet<&String> = completed.rounds.iter().flat_map(|round| &round.workers).collect();
    if workers.len() != usize::from(validators) {
        return incomplete(format!("{} of {validators} validators have trained", workers.len()));
    }
    let live = match model::info(chain, model).await?.live {
        Some(version) => model::version_weights(chain, model, version).await?,
        None => None,
    };
    if live.as_deref() != Some(completed.weights.as_str()) {
        return incomplete(format!(
            "the final weights are {}, the live weights {}",
            completed.weights,
            live.unwrap_or_else(|| "none".to_owned())
        ));
    }
    Ok(())
}

/// Checks that the answer is not empty, that another validator confirmed it, and that its fee is split completely.
pub fn check_answer(answer: &Answer) -> Result<()> {
    let incomplete = |message: &str| Err(Error::failed("InferenceIncomplete", message));
    if answer.output.is_empty() {
        return incomplete("the answer is empty");
    }
    if !answer.claim_settled || answer.receipts == 0 {
        return incomplete("no other validator has confirmed the answer");
    }
    let split: u128 = answer.split.iter().map(|(_, part)| part).sum();
    if answer.fee == 0 || split != answer.fee {
        return incomplete("the parts of the fee do not add up to the fee");
    }
    Ok(())
}
