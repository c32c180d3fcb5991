// SPDX-License-Identifier: Apache-2.0
//! The jobs of a round. All that determines their results is in storage.

use crate::{round::Phase, Config, Contributions, Feedback, Pallet, PlanOf, RoundOf};
use agorai_primitives::{
    job::{AggregateSpec, AuditSpec, JobSpec, Profile, ScoreSpec, TrainSpec},
    PlanId,
};

impl<T: Config> Pallet<T> {
    /// The job of the worker with index `worker`.
    pub(crate) fn train_spec(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, worker: u32) -> Option<TrainSpec> {
        let account = &round.workers.get(worker as usize)?.account;
        let error_feedback = Feedback::<T>::get(id)
            .into_iter()
            .find(|(who, _)| who == account)
            .map(|(_, buffer)| buffer);
        let steps = plan.recipe.inner_steps;
        Some(TrainSpec {
            profile: Profile::ExactF32V1,
            architecture: plan.architecture,
            base: plan.weights,
            recipe: plan.recipe,
            corpus: Self::corpus(id),
            seed: round.seed,
            steps_before: plan.round.saturating_mul(steps),
            steps_total: plan.rounds.saturating_mul(steps),
            worker,
            workers: round.workers.len() as u32,
            error_feedback,
        })
    }

    /// The job of an auditor of the worker with index `worker`.
    pub(crate) fn audit_spec(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, worker: u32) -> Option<AuditSpec> {
        Some(AuditSpec {
            train: Self::train_spec(id, plan, round, worker)?,
            contribution: Contributions::<T>::get(id, worker)?.into(),
            segment: round.workers.get(worker as usize)?.audit.segment,
        })
    }

    /// The job of the current claim; `None` unless the round is in phase `Score` or `Aggregate`.
    pub(crate) fn claim_spec(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>) -> Option<JobSpec> {
        let score = || ScoreSpec {
            profile: Profile::ExactF32V1,
            architecture: plan.architecture,
            base: plan.weights,
            recipe: plan.recipe,
            corpus: Self::corpus(id),
            seed: round.seed,
            draw: round.draw,
            workers: round.workers.len() as u32,
            contributions: round.accepted(),
        };
        match round.phase {
            Phase::Score => Some(JobSpec::Score(score())),
            Phase::Aggregate => Some(JobSpec::Aggregate(AggregateSpec { score: score() })),
            Phase::Enrol | Phase::Train | Phase::Audit | Phase::Done => None,
        }
    }
}
