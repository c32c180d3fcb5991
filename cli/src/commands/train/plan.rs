// SPDX-License-Identifier: GPL-3.0-only
//! Training plans: starting one, and reading its record.

use crate::{
    chain::{
        value::{self, ReadValue, Value},
        Call, Chain,
    },
    commands::{connection::submit_by, model},
    deadline::{Awaited, Deadline},
    error::{Error, ErrorKind, Result},
    output::Output,
};
use agorai_primitives::{training::Recipe, DatasetId, ModelId, PlanId};
use subxt_signer::sr25519::Keypair;

/// A plan to start.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// The model.
    pub model: ModelId,
    /// The datasets to train on.
    pub datasets: Vec<DatasetId>,
    /// The number of rounds.
    pub rounds: u32,
    /// The training parameters of a worker.
    pub recipe: Recipe,
    /// The reward of a round, in the smallest unit of the native token.
    pub reward: u128,
    /// The shares of the model that a round issues.
    pub shares: u128,
    /// The minimum number of workers of a round.
    pub minimum_workers: u32,
}

impl NewPlan {
    fn call(&self) -> Call {
        let datasets = self.datasets.iter().map(|id| value::uint(*id));
        Call::new(
            "Training",
            "create_plan",
            [
                ("model", value::uint(self.model)),
                ("base", value::option(None)),
                ("datasets", Value::unnamed_composite(datasets)),
                ("rounds", value::uint(self.rounds)),
                ("recipe", value::recipe(&self.recipe)),
                ("reward_per_round", value::uint(self.reward)),
                ("shares_per_round", value::uint(self.shares)),
                ("minimum_workers", value::uint(self.minimum_workers)),
            ],
        )
    }
}

/// A plan that was started.
#[derive(Clone, Debug)]
pub struct StartedPlan {
    /// The index.
    pub plan: PlanId,
    /// Height of the block that includes the call.
    pub block: u32,
}

/// Starts a plan on the live version of its model.
pub async fn start(
    chain: &Chain,
    signer: &Keypair,
    plan: &NewPlan,
    deadline: Deadline,
    out: &Output,
) -> Result<StartedPlan> {
    plan.recipe
        .validate()
        .map_err(|e| Error::usage("BadRecipe", format!("the recipe is invalid: {e:?}")))?;
    let awaited = Awaited::new(
        format!("the record of model {}", plan.model),
        "nothing was sent; check that the node answers, then try again",
    );
    deadline.limit(&awaited, model::info(chain, plan.model)).await?;
    let included = submit_by(chain, signer, plan.call(), deadline, "starting the plan", out).await?;
    Ok(StartedPlan {
        plan: included.event("Training", "PlanCreated")?.uint("plan")?,
        block: included.block,
    })
}

/// What the chain records about a plan, as far as watching it needs it.
pub struct PlanRecord {
    /// The number of rounds.
    pub rounds: u32,
    /// Whether rounds are still to come.
    pub running: bool,
    /// Height of the last finalised block when the record was read.
    pub height: u32,
}

/// Reads the record of a plan; fails with `UnknownPlan` if there is none.
pub async fn read(chain: &Chain, plan: PlanId, deadline: Deadline) -> Result<PlanRecord> {
    let awaited = Awaited::new(
        format!("the record of plan {plan}"),
        "check that the node runs and is synchronised, then try again",
    );
    let read = async {
        // Before the record, so that no event after it is missed.
        let height = chain.finalized().await?;
        let record = chain.read("Training", "Plans", vec![value::uint(plan)]).await?;
        Ok((height, record))
    };
    let (height, record) = deadline.limit(&awaited, read).await?;
    let record = record.ok_or_else(|| {
        Error::new(
            ErrorKind::Refused,
            "UnknownPlan",
            format!("no plan has the index {plan}, or its record has been removed after its end"),
        )
        .hint("list the model's versions with: agorai model show ID")
    })?;
    Ok(PlanRecord {
        rounds: record.uint_field("rounds").unwrap_or_default(),
        running: record
            .field("status")
            .and_then(ReadValue::variant)
            .is_some_and(|(status, _)| status == "Running" || status == "Stopping"),
        height,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime::{assert_call, assert_event, assert_storage};

    #[test]
    fn names_of_a_plan_exist_in_the_runtime() {
        let plan = NewPlan {
            model: 0,
            datasets: vec![1, 2],
            rounds: 3,
            recipe: Recipe::SMALL,
            reward: 4,
            shares: 5,
            minimum_workers: 6,
        };
        assert_call(&plan.call());
        assert_event("Training", "PlanCreated", &["plan"]);
        assert_storage("Training", "Plans", &["rounds", "status", "weights"]);
    }
}
