// SPDX-License-Identifier: Apache-2.0
//! The storage invariants.

use crate::{
    round::Phase, Config, Contributions, Corpora, CurrentRounds, EndedPlans, Feedback, HoldReason, Jobs, NextPlan,
    Pallet, Plans, Rounds, RunningPlans,
};
use agorai_primitives::Balance;
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks that
    /// - every plan either is running and has a round and a corpus, or has ended and has neither;
    /// - phase and deadline of a plan are those of its round;
    /// - the hold on an account is the sum of the escrows of its plans, and no plan pays more than its total reward;
    /// - contributions and jobs belong to current rounds, and at most [`Config::RetainedRounds`] summaries of a plan are
    ///   stored.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let (running, ended) = (RunningPlans::<T>::get(), EndedPlans::<T>::get());
        let mut escrows: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let mut plans = 0usize;
        for (id, plan) in Plans::<T>::iter() {
            plans = plans.saturating_add(1);
            ensure!(id < NextPlan::<T>::get(), "a plan's id is not below the next id");
            let runs = plan.is_running();
            ensure!(
                runs == running.contains(&id),
                "the status of a plan contradicts the running plans"
            );
            ensure!(
                runs != ended.contains(&id),
                "the status of a plan contradicts the ended plans"
            );
            ensure!(
                runs == Corpora::<T>::contains_key(id),
                "a running plan has no corpus, or an ended plan has one"
            );
            let round = CurrentRounds::<T>::get(id);
            ensure!(
                runs == round.is_some(),
                "a running plan has no round, or an ended plan has one"
            );
            if let Some(round) = round {
                ensure!(
                    plan.phase == round.phase,
                    "the phase of a plan is not that of its round"
                );
                ensure!(
                    plan.deadline == round.deadline,
                    "the deadline of a plan is not that of its round"
                );
                ensure!(
                    plan.round < plan.rounds,
                    "the index of a round is not below the number of rounds"
                );
                ensure!(round.phase != Phase::Done, "a current round has ended");
                let claims = matches!(round.phase, Phase::Score | Phase::Aggregate);
                let has_job = Jobs::<T>::get(round.claim_attempt.job) == Some(id);
                ensure!(claims == has_job, "a claim has no job, or a job has no claim");
                for (worker, _) in Contributions::<T>::iter_prefix(id) {
                    ensure!((worker as usize) < round.workers.len(), "a contribution has no worker");
                }
            } else {
                ensure!(plan.escrow == 0, "an ended plan has an escrow");
                ensure!(Feedback::<T>::get(id).is_empty(), "an ended plan has error feedback");
                let contribution = Contributions::<T>::iter_prefix(id).next();
                ensure!(contribution.is_none(), "an ended plan has a contribution");
            }
            let total_reward = plan.reward_per_round.saturating_mul(Balance::from(plan.rounds));
            ensure!(
                plan.paid.saturating_add(plan.escrow) <= total_reward,
                "a plan pays more than its total reward"
            );
            let summaries = Rounds::<T>::iter_prefix(id).count();
            ensure!(
                summaries <= T::RetainedRounds::get() as usize,
                "the summaries of a plan exceed the limit"
            );
            let sum = escrows.entry(plan.owner).or_default();
            *sum = sum.saturating_add(plan.escrow);
        }
        ensure!(
            plans == running.len().saturating_add(ended.len()),
            "a plan is neither running nor ended"
        );
        ensure!(
            Jobs::<T>::iter().count() <= running.len(),
            "the number of jobs exceeds the number of running plans"
        );
        let reason = HoldReason::Escrow.into();
        for (owner, sum) in escrows {
            ensure!(
                T::Currency::balance_on_hold(&reason, &owner) == sum,
                "a hold is not the sum of the escrows"
            );
        }
        Ok(())
    }
}
