// SPDX-License-Identifier: Apache-2.0
//! The interface of this pallet to `verification`, which checks the claims.

use crate::{
    round::{ClaimStatus, RoundInput, StepContext},
    Config, CurrentRounds, Jobs, Pallet, Plans, LOG_TARGET,
};
use agorai_primitives::{
    job::JobSpec,
    traits::{JobHandler, JobKind, Verdict},
    JobId,
};
use sp_core::H256;

impl<T: Config> JobHandler<T::AccountId> for Pallet<T> {
    fn check_spec(_: JobKind, job: JobId) -> Option<JobSpec> {
        let id = Jobs::<T>::get(job)?;
        let (plan, round) = (Plans::<T>::get(id)?, CurrentRounds::<T>::get(id)?);
        let open = round.claim_attempt.job == job && round.claim_attempt.status == ClaimStatus::Open;
        open.then(|| Self::claim_spec(id, &plan, &round)).flatten()
    }

    fn on_verdict(_: JobKind, job: JobId, verdict: Verdict<T::AccountId>) {
        let Some(id) = Jobs::<T>::get(job) else {
            return;
        };
        let (Some(plan), Some(round)) = (Plans::<T>::get(id), CurrentRounds::<T>::get(id)) else {
            return;
        };
        if round.claim_attempt.job != job {
            return;
        }
        let settled = matches!(verdict, Verdict::Settled { .. });
        let rules = Self::rules(&plan);
        // Recording a verdict does not draw.
        let context = StepContext {
            block: Self::now(),
            members: &[],
            randomness: H256::zero(),
            rules: &rules,
        };
        match round.step(RoundInput::Verdict { settled }, &context) {
            Ok(transition) => {
                Self::apply(id, plan, transition);
                // Applies the verdict in this block instead of the next one.
                Self::tick(id, &Self::voters());
            }
            // The claim was reassigned to the next executor before its verdict.
            Err(refusal) => log::debug!(target: LOG_TARGET, "plan {id} ignores a verdict: {refusal:?}"),
        }
    }
}
