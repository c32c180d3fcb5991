// SPDX-License-Identifier: Apache-2.0
//! The beginning and the end of a plan.

use crate::{
    plan::{NewPlan, PlanRecord, PlanStatus},
    round::{Phase, Round},
    Config, Corpora, CurrentRounds, EndedPlans, Error, Event, Feedback, HoldReason, NextPlan, Pallet, PlanOf, Plans,
    Rounds, RunningPlans, LOG_TARGET,
};
use agorai_primitives::{training::MAX_WORKERS, traits::ModelRegistry, Balance, PlanId};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    traits::{fungible::MutateHold, tokens::Precision, Get},
};
use pallet_support::Nested;
use sp_runtime::{DispatchError, DispatchResult};

/// Minimum vocabulary size of a model that is trained: one token for each byte.
const MIN_VOCAB: u32 = 256;

impl<T: Config> Pallet<T> {
    /// Creates a plan, holds its escrow and begins its first round. Emits [`Event::PlanCreated`].
    pub(crate) fn start_plan(new: NewPlan<T::AccountId>) -> DispatchResult {
        let mut running = RunningPlans::<T>::get();
        let mut plan = Self::validate_plan(&new)?;
        let (corpus, sequences) = Self::collect_corpus(&new.owner, &new.datasets, &new.recipe)?;
        plan.sequences = sequences;
        let same_model = |id: &PlanId| Plans::<T>::get(id).is_some_and(|other| other.model == plan.model);
        ensure!(!running.iter().any(same_model), Error::<T>::PlanRunning);
        let id = NextPlan::<T>::get();
        running.try_push(id).map_err(|_| Error::<T>::TooManyPlans)?;
        let next = id.checked_add(1).ok_or(Error::<T>::TooManyPlans)?;
        T::Currency::hold(&HoldReason::Escrow.into(), &plan.owner, plan.escrow)?;
        let round = Round::new(Vec::new(), Self::now(), &Self::rules(&plan));
        let (model, rounds) = (plan.model, plan.rounds);
        plan.deadline = round.deadline;
        NextPlan::<T>::put(next);
        RunningPlans::<T>::put(running);
        Corpora::<T>::insert(id, corpus);
        CurrentRounds::<T>::insert(id, round);
        Plans::<T>::insert(id, plan);
        Self::deposit_event(Event::PlanCreated {
            plan: id,
            model,
            rounds,
        });
        Ok(())
    }

    /// Checks the arguments of a plan, except its datasets, and returns its record without sequences and deadline.
    fn validate_plan(new: &NewPlan<T::AccountId>) -> Result<PlanOf<T>, DispatchError> {
        let live = T::Models::live(new.model)?;
        ensure!(live.owner == new.owner, Error::<T>::NotOwner);
        let version = match new.base {
            Some(version) => T::Models::version(new.model, version)?,
            None => live,
        };
        ensure!(
            (1..=T::MaxRounds::get()).contains(&new.rounds),
            Error::<T>::RoundsOutOfRange
        );
        ensure!(new.reward_per_round >= T::MinReward::get(), Error::<T>::RewardTooSmall);
        let rounds = Balance::from(new.rounds);
        let escrow = new.reward_per_round.checked_mul(rounds);
        let escrow = escrow.ok_or(Error::<T>::AmountTooLarge)?;
        ensure!(
            new.shares_per_round.checked_mul(rounds).is_some(),
            Error::<T>::AmountTooLarge
        );
        ensure!(
            (1..=MAX_WORKERS).contains(&new.minimum_workers),
            Error::<T>::MinimumOutOfRange
        );
        new.recipe
            .validate()
            .map_err(|error| Error::<T>::Recipe(Nested(error)))?;
        ensure!(
            new.recipe.sequence <= version.architecture.context,
            Error::<T>::SequenceTooLong
        );
        ensure!(version.architecture.vocab >= MIN_VOCAB, Error::<T>::VocabTooSmall);
        Ok(PlanRecord {
            owner: new.owner.clone(),
            model: new.model,
            architecture: version.architecture,
            version: version.version,
            weights: version.weights,
            datasets: new.datasets.clone(),
            sequences: 0,
            recipe: new.recipe,
            rounds: new.rounds,
            reward_per_round: new.reward_per_round,
            shares_per_round: new.shares_per_round,
            minimum_workers: new.minimum_workers,
            escrow,
            paid: 0,
            round: 0,
            phase: Phase::Enrol,
            deadline: 0,
            void_in_a_row: 0,
            status: PlanStatus::Running,
        })
    }

    /// Ends a plan of the owner `who`: now in phase `Enrol`, otherwise with the current round.
    pub(crate) fn stop_plan(who: T::AccountId, id: PlanId) -> DispatchResult {
        let mut plan = Plans::<T>::get(id).ok_or(Error::<T>::UnknownPlan)?;
        ensure!(plan.owner == who, Error::<T>::NotOwner);
        match plan.status {
            PlanStatus::Running if plan.phase == Phase::Enrol => {
                Self::end_plan(id, plan, PlanStatus::Cancelled);
            }
            PlanStatus::Running => {
                plan.status = PlanStatus::Stopping;
                Plans::<T>::insert(id, plan);
                Self::deposit_event(Event::PlanStopping { plan: id });
            }
            PlanStatus::Stopping => return Err(Error::<T>::PlanStopping.into()),
            PlanStatus::Completed | PlanStatus::Cancelled | PlanStatus::Abandoned => {
                return Err(Error::<T>::UnknownPlan.into())
            }
        }
        Ok(())
    }

    /// Ends a plan: releases the rest of its escrow and removes its round and data. Emits the event of `status`.
    pub(crate) fn end_plan(id: PlanId, mut plan: PlanOf<T>, status: PlanStatus) {
        let released = T::Currency::release(
            &HoldReason::Escrow.into(),
            &plan.owner,
            plan.escrow,
            Precision::BestEffort,
        )
        .unwrap_or_else(|error| {
            log::error!(target: LOG_TARGET, "cannot release the escrow of plan {id}: {error:?}");
            0
        });
        plan.escrow = plan.escrow.saturating_sub(released);
        plan.status = status;
        plan.phase = Phase::Done;
        plan.deadline = Self::now();
        let weights = plan.weights;
        CurrentRounds::<T>::remove(id);
        Corpora::<T>::remove(id);
        Feedback::<T>::remove(id);
        Plans::<T>::insert(id, plan);
        RunningPlans::<T>::mutate(|running| running.retain(|other| *other != id));
        Self::retain_ended_plan(id);
        Self::deposit_event(match status {
            PlanStatus::Completed => Event::PlanCompleted { plan: id, weights },
            PlanStatus::Abandoned => Event::PlanAbandoned { plan: id, released },
            _ => Event::PlanCancelled { plan: id, released },
        });
    }

    /// Appends a plan to the ended plans, and removes the oldest of them if [`Config::RetainedPlans`] is reached.
    fn retain_ended_plan(id: PlanId) {
        let mut ended = EndedPlans::<T>::get();
        if ended.is_full() && !ended.is_empty() {
            let oldest = ended.remove(0);
            Plans::<T>::remove(oldest);
            // At most `RetainedRounds` entries.
            for round in Rounds::<T>::iter_key_prefix(oldest).collect::<Vec<_>>() {
                Rounds::<T>::remove(oldest, round);
            }
        }
        // Not full: `RetainedPlans` is not zero.
        if ended.try_push(id).is_ok() {
            EndedPlans::<T>::put(ended);
        }
    }
}
