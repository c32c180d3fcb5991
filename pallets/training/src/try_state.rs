// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{
    types::{Phase, PlanStatus},
    Config, Contributions, Corpora, Current, Feedback, HoldReason, Jobs, NextPlan, Over, Pallet, Plans, Rounds,
    Running,
};
use agorai_primitives::Balance;
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - Every plan either runs, and has a round and a corpus, or is over, and has neither.
    /// - What a plan says of its round is what the round says.
    /// - What is held on an owner is the escrow of its plans, and no plan has paid more than it may.
    /// - Contributions and jobs belong to rounds that run; no more summaries are kept than may be.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let (running, over) = (Running::<T>::get(), Over::<T>::get());
        let mut escrows: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let mut plans = 0usize;
        for (id, plan) in Plans::<T>::iter() {
            plans = plans.saturating_add(1);
            ensure!(id < NextPlan::<T>::get(), "an index was not given out");
            let runs = matches!(plan.status, PlanStatus::Running | PlanStatus::Stopping);
            ensure!(runs == running.contains(&id), "a plan runs and does not");
            ensure!(runs != over.contains(&id), "a plan is over and is not");
            ensure!(
                runs == Corpora::<T>::contains_key(id),
                "a corpus is missing, or left over"
            );
            let round = Current::<T>::get(id);
            ensure!(runs == round.is_some(), "a round is missing, or left over");
            if let Some(round) = round {
                ensure!(plan.phase == round.phase, "plan and round are in different phases");
                ensure!(plan.deadline == round.deadline, "plan and round differ on a deadline");
                ensure!(plan.round < plan.rounds, "a plan has no such round");
                ensure!(round.phase != Phase::Done, "a round is over and still there");
                let claims = matches!(round.phase, Phase::Score | Phase::Aggregate);
                let named = Jobs::<T>::get(round.claim_attempt.job) == Some(id);
                ensure!(claims == named, "a job is missing, or left over");
                for (place, _) in Contributions::<T>::iter_prefix(id) {
                    ensure!((place as usize) < round.workers.len(), "a contribution of nobody");
                }
            } else {
                ensure!(plan.escrow == 0, "an escrow is left over");
                ensure!(Feedback::<T>::get(id).is_empty(), "feedback is left over");
                let left = Contributions::<T>::iter_prefix(id).next();
                ensure!(left.is_none(), "a contribution is left over");
            }
            let all = plan.reward_per_round.saturating_mul(Balance::from(plan.rounds));
            ensure!(
                plan.paid.saturating_add(plan.escrow) <= all,
                "a plan pays what it has not"
            );
            let kept = Rounds::<T>::iter_prefix(id).count();
            ensure!(kept <= T::KeptRounds::get() as usize, "too many summaries");
            let sum = escrows.entry(plan.owner).or_default();
            *sum = sum.saturating_add(plan.escrow);
        }
        ensure!(plans == running.len().saturating_add(over.len()), "a plan is missing");
        ensure!(Jobs::<T>::iter().count() <= running.len(), "a job is left over");
        let reason = HoldReason::Escrow.into();
        for (owner, sum) in escrows {
            ensure!(
                T::Currency::balance_on_hold(&reason, &owner) == sum,
                "an escrow is not held"
            );
        }
        Ok(())
    }
}
