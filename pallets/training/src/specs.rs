// SPDX-License-Identifier: Apache-2.0
//! The jobs of a round: all that determines their results is on the chain.

use crate::{
    round::{ClaimStatus, RoundInput, StepContext},
    types::Phase,
    Config, Contributions, Corpora, Current, Feedback, Jobs, Pallet, PlanOf, Plans, RoundOf, LOG_TARGET,
};
use agorai_primitives::{
    job::{AggregateSpec, AuditSpec, JobSpec, Profile, ScoreSpec, TrainSpec},
    training::Corpus,
    traits::{JobHandler, JobKind, Verdict},
    JobId, PlanId,
};
use sp_core::H256;

impl<T: Config> Pallet<T> {
    fn corpus(id: PlanId) -> Corpus {
        Corpus {
            shards: Corpora::<T>::get(id).into_inner(),
        }
    }

    /// What the worker at a place has to do.
    pub(crate) fn train_spec(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, place: u32) -> Option<TrainSpec> {
        let worker = round.workers.get(place as usize)?;
        let error_feedback = Feedback::<T>::get(id)
            .into_iter()
            .find(|(who, _)| *who == worker.account)
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
            worker: place,
            workers: round.workers.len() as u32,
            error_feedback,
        })
    }

    /// What an auditor of the worker at a place has to re-execute.
    pub(crate) fn audit_spec(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, place: u32) -> Option<AuditSpec> {
        Some(AuditSpec {
            train: Self::train_spec(id, plan, round, place)?,
            contribution: Contributions::<T>::get(id, place)?.into(),
            segment: round.workers.get(place as usize)?.audit.segment,
        })
    }

    /// The job of the claim that the round is to make, if it is in such a phase.
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

impl<T: Config> JobHandler<T::AccountId> for Pallet<T> {
    fn check_spec(_: JobKind, job: JobId) -> Option<JobSpec> {
        let id = Jobs::<T>::get(job)?;
        let (plan, round) = (Plans::<T>::get(id)?, Current::<T>::get(id)?);
        let open = round.claim_attempt.job == job && round.claim_attempt.status == ClaimStatus::Open;
        open.then(|| Self::claim_spec(id, &plan, &round)).flatten()
    }

    fn on_verdict(_: JobKind, job: JobId, verdict: Verdict<T::AccountId>) {
        let Some(id) = Jobs::<T>::get(job) else {
            return;
        };
        let (Some(plan), Some(round)) = (Plans::<T>::get(id), Current::<T>::get(id)) else {
            return;
        };
        if round.claim_attempt.job != job {
            return;
        }
        let settled = matches!(verdict, Verdict::Settled { .. });
        let rules = Self::rules(&plan);
        let at = StepContext {
            block: Self::now(),
            members: &[],
            randomness: H256::zero(),
            rules: &rules,
        };
        match round.step(RoundInput::Verdict { settled }, &at) {
            Ok(next) => {
                Self::follow(id, plan, next);
                // Goes on in the same block: a round has two claims, and a block is three seconds.
                Self::tick(id, &Self::voters());
            }
            // The claim had passed to the next executor.
            Err(refusal) => log::debug!(target: LOG_TARGET, "plan {id}: {refusal:?}"),
        }
    }
}
