// SPDX-License-Identifier: Apache-2.0
//! How a plan begins, goes from round to round, pays, and ends.

use crate::{
    round::{Effect, Next, Round, RoundInput, Rules, StepContext, MAX_VOTERS},
    scores::split,
    types::{
        Feedbacks, NewWeights, Phase, PlanDatasets, PlanRecord, PlanStatus, RoundSummary, Shards, VoidReason,
        WorkerStatus,
    },
    Config, Contributions, Corpora, Current, Error, Event, Feedback, HoldReason, Jobs, NextPlan, Over, Pallet, PlanOf,
    Plans, RoundOf, Rounds, Running, LOG_TARGET,
};
use agorai_primitives::{
    training::{Corpus, Recipe},
    traits::{DatasetRegistry, Fault, ModelRegistry, SessionMembers, Slash, TrainingOrigin},
    Balance, BlockNumber, PlanId,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    ensure,
    traits::{
        fungible::MutateHold,
        tokens::{Fortitude, Precision, Restriction},
        Contains, Get, Randomness,
    },
};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::{DispatchError, DispatchResult, SaturatedConversion};

impl<T: Config> Pallet<T> {
    /// The shards of a plan's datasets, in order, and the sequences in them.
    pub(crate) fn corpus_of(
        owner: &T::AccountId,
        datasets: &PlanDatasets,
        recipe: &Recipe,
    ) -> Result<(Shards, u64), DispatchError> {
        ensure!(!datasets.is_empty(), Error::<T>::NoDatasets);
        let mut corpus = Corpus::default();
        for (at, dataset) in datasets.iter().enumerate() {
            ensure!(!datasets[..at].contains(dataset), Error::<T>::DatasetTwice);
            let shards = T::Datasets::usable_shards(*dataset)?;
            ensure!(
                T::Access::contains(&(*dataset, owner.clone())),
                Error::<T>::AccessDenied
            );
            corpus.shards.extend(shards);
        }
        let sequences = corpus.sequences(recipe.sequence);
        let members = T::Members::members().len().max(1) as u64;
        let needs = recipe
            .sequences_per_worker()
            .saturating_mul(members)
            .saturating_add(u64::from(recipe.held_out));
        ensure!(sequences >= needs, Error::<T>::TooLittleData);
        let shards = corpus.shards.try_into().map_err(|_| Error::<T>::TooManyShards)?;
        Ok((shards, sequences))
    }

    /// Holds the escrow and begins the first round.
    pub(crate) fn start_plan(mut plan: PlanOf<T>, corpus: Shards) -> DispatchResult {
        let mut running = Running::<T>::get();
        let same = |id: &PlanId| Plans::<T>::get(id).is_some_and(|other| other.model == plan.model);
        ensure!(!running.iter().any(same), Error::<T>::PlanRunning);
        let id = NextPlan::<T>::get();
        running.try_push(id).map_err(|_| Error::<T>::TooManyPlans)?;
        let next = id.checked_add(1).ok_or(Error::<T>::TooManyPlans)?;
        T::Currency::hold(&HoldReason::Escrow.into(), &plan.owner, plan.escrow)?;
        let rules = Self::rules(&plan);
        let round = Round::new(Vec::new(), Self::now(), &rules);
        let (model, rounds) = (plan.model, plan.rounds);
        plan.deadline = round.deadline;
        NextPlan::<T>::put(next);
        Running::<T>::put(running);
        Corpora::<T>::insert(id, corpus);
        Current::<T>::insert(id, round);
        Plans::<T>::insert(id, plan);
        Self::deposit_event(Event::PlanCreated {
            plan: id,
            model,
            rounds,
        });
        Ok(())
    }

    /// Ends a plan for its owner, now or with its current round.
    pub(crate) fn stop_plan(who: T::AccountId, id: PlanId) -> DispatchResult {
        let mut plan = Plans::<T>::get(id).ok_or(Error::<T>::UnknownPlan)?;
        ensure!(plan.owner == who, Error::<T>::NotOwner);
        match plan.status {
            PlanStatus::Running if plan.phase == Phase::Enrol => {
                Self::finish_plan(id, plan, PlanStatus::Cancelled);
            }
            PlanStatus::Running => {
                plan.status = PlanStatus::Stopping;
                Plans::<T>::insert(id, plan);
                Self::deposit_event(Event::PlanStopping { plan: id });
            }
            PlanStatus::Stopping => return Err(Error::<T>::PlanStopping.into()),
            PlanStatus::Completed | PlanStatus::Cancelled | PlanStatus::GivenUp => {
                return Err(Error::<T>::UnknownPlan.into())
            }
        }
        Ok(())
    }

    /// The members that count in a round: those with the largest bonds, as many as it can note.
    pub(crate) fn voters() -> Vec<(T::AccountId, Balance)> {
        let mut members: Vec<_> = T::Members::members()
            .into_iter()
            .map(|member| (member.account, member.bond))
            .collect();
        if members.len() > MAX_VOTERS as usize {
            members.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
            members.truncate(MAX_VOTERS as usize);
        }
        members
    }

    /// Lets a block pass for a plan.
    pub(crate) fn tick(id: PlanId, members: &[(T::AccountId, Balance)]) {
        let (Some(plan), Some(round)) = (Plans::<T>::get(id), Current::<T>::get(id)) else {
            log::error!(target: LOG_TARGET, "plan {id} runs without a record");
            return;
        };
        let rules = Self::rules(&plan);
        let at = StepContext {
            block: Self::now(),
            members,
            randomness: Self::randomness(id, &plan),
            rules: &rules,
        };
        let before = round.clone();
        match round.step(RoundInput::Tick, &at) {
            Ok(next) if next.round == before => {}
            Ok(next) => Self::follow(id, plan, next),
            // A tick is never refused.
            Err(refusal) => log::error!(target: LOG_TARGET, "plan {id}: {refusal:?}"),
        }
    }

    /// Stores a round after a step and does what follows from it.
    pub(crate) fn follow(id: PlanId, mut plan: PlanOf<T>, next: Next<T::AccountId>) {
        let Next { mut round, effects } = next;
        if plan.phase != round.phase {
            Self::name_job(id, &plan, &mut round);
            plan.phase = round.phase;
            if round.phase != Phase::Done {
                Self::deposit_event(Event::PhaseChanged {
                    plan: id,
                    round: plan.round,
                    phase: round.phase,
                });
            }
        }
        let index = plan.round;
        for effect in effects {
            match effect {
                Effect::Slash { who, fault } => {
                    let part = match fault {
                        Fault::WrongAudit => T::WrongAuditSlash::get(),
                        _ => T::WrongContributionSlash::get(),
                    };
                    T::Slash::slash(&who, part, fault);
                }
                Effect::Dropped { who, reason } => {
                    Self::deposit_event(Event::Dropped {
                        plan: id,
                        round: index,
                        worker: who,
                        reason,
                    });
                }
                Effect::Executor { who } => Self::deposit_event(Event::ExecutorDrawn {
                    plan: id,
                    round: index,
                    phase: round.phase,
                    executor: who,
                }),
                Effect::Void { reason } => return Self::end_void(id, plan, round, reason),
                Effect::Finished { weights } => return Self::end_with_weights(id, plan, round, weights),
            }
        }
        plan.deadline = round.deadline;
        Current::<T>::insert(id, round);
        Plans::<T>::insert(id, plan);
    }

    /// Gives the job of a new phase its name, and forgets that of the one before.
    fn name_job(id: PlanId, plan: &PlanOf<T>, round: &mut RoundOf<T>) {
        if let Some(before) = Current::<T>::get(id) {
            Jobs::<T>::remove(before.claim_attempt.job);
        }
        if let Some(spec) = Self::claim_spec(id, plan, round) {
            round.claim_attempt.job = spec.id();
            Jobs::<T>::insert(round.claim_attempt.job, id);
        }
    }

    fn end_void(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, reason: VoidReason) {
        let summary = RoundSummary {
            workers: round.workers.len() as u32,
            accepted: 0,
            void: Some(reason),
            version: None,
            weights: plan.weights,
            loss_before: 0,
            loss_after: 0,
            paid: 0,
        };
        plan.void_in_a_row = plan.void_in_a_row.saturating_add(1);
        // Contributions that do not count leave no feedback.
        if Contributions::<T>::iter_prefix(id).next().is_some() {
            Feedback::<T>::remove(id);
        }
        Self::deposit_event(Event::RoundVoid {
            plan: id,
            round: plan.round,
            reason,
        });
        Self::end_round(id, plan, round, summary);
    }

    fn end_with_weights(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, new: NewWeights) {
        let NewWeights {
            weights,
            loss_before,
            loss_after,
        } = new;
        let origin = TrainingOrigin {
            parent: plan.version,
            plan: id,
            round: plan.round,
            datasets: plan.datasets.to_vec(),
            loss_before,
            loss_after,
        };
        let version = match T::Models::add_trained(plan.model, weights, origin) {
            Ok(version) => version,
            Err(error) => {
                log::warn!(target: LOG_TARGET, "plan {id}: the model refuses: {error:?}");
                // The work is done and verified and its weights are public, so it is paid; an owner who
                // retires the model in time must not have it for nothing.
                Self::pay(id, &mut plan, &round.winners());
                plan.status = PlanStatus::Stopping;
                return Self::end_void(id, plan, round, VoidReason::ModelRefused);
            }
        };
        plan.version = version;
        plan.weights = weights;
        plan.void_in_a_row = 0;
        let winners = round.winners();
        let paid = Self::pay(id, &mut plan, &winners);
        let feedback: Vec<_> = (0u32..)
            .zip(round.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .filter_map(|(place, worker)| {
                let contribution = Contributions::<T>::get(id, place)?;
                Some((worker.account.clone(), contribution.error_feedback))
            })
            .collect();
        Feedback::<T>::insert(id, Feedbacks::<T::AccountId>::truncate_from(feedback));
        let summary = RoundSummary {
            workers: round.workers.len() as u32,
            accepted: winners.len() as u32,
            void: None,
            version: Some(version),
            weights,
            loss_before,
            loss_after,
            paid,
        };
        Self::deposit_event(Event::RoundCompleted {
            plan: id,
            round: plan.round,
            weights,
            version,
            loss_before,
            loss_after,
        });
        Self::end_round(id, plan, round, summary);
    }

    /// Pays a round's reward and shares by gain; returns what was paid. What cannot be paid stays in
    /// the escrow.
    fn pay(id: PlanId, plan: &mut PlanOf<T>, winners: &[(T::AccountId, u64)]) -> Balance {
        let gains: Vec<u64> = winners.iter().map(|(_, gain)| *gain).collect();
        let amounts = split(plan.reward_per_round.min(plan.escrow), &gains);
        let shares = split(plan.shares_per_round, &gains);
        let mut paid: Balance = 0;
        for (((who, _), amount), shares) in winners.iter().zip(amounts).zip(shares) {
            let moved = T::Currency::transfer_on_hold(
                &HoldReason::Escrow.into(),
                &plan.owner,
                who,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .unwrap_or_else(|error| {
                log::warn!(target: LOG_TARGET, "{who:?} cannot be paid: {error:?}");
                0
            });
            let issued = T::Models::issue_shares(plan.model, who, shares);
            if let Err(error) = &issued {
                log::warn!(target: LOG_TARGET, "{who:?} gets no shares: {error:?}");
            }
            plan.escrow = plan.escrow.saturating_sub(moved);
            plan.paid = plan.paid.saturating_add(moved);
            paid = paid.saturating_add(moved);
            Self::deposit_event(Event::Paid {
                plan: id,
                round: plan.round,
                worker: who.clone(),
                amount: moved,
                shares: if issued.is_ok() { shares } else { 0 },
            });
        }
        paid
    }

    fn end_round(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, summary: RoundSummary) {
        for place in 0..round.workers.len() as u32 {
            Contributions::<T>::remove(id, place);
        }
        if let Some(pruned) = plan.round.checked_sub(T::KeptRounds::get()) {
            Rounds::<T>::remove(id, pruned);
        }
        Rounds::<T>::insert(id, plan.round, summary);
        plan.round = plan.round.saturating_add(1);
        let end = if plan.status == PlanStatus::Stopping {
            Some(PlanStatus::Cancelled)
        } else if plan.round >= plan.rounds {
            Some(PlanStatus::Completed)
        } else if plan.void_in_a_row >= T::MaxVoidRounds::get() {
            Some(PlanStatus::GivenUp)
        } else {
            None
        };
        if let Some(status) = end {
            return Self::finish_plan(id, plan, status);
        }
        let next = Round::new(round.stay(), Self::now(), &Self::rules(&plan));
        plan.phase = next.phase;
        plan.deadline = next.deadline;
        Self::deposit_event(Event::PhaseChanged {
            plan: id,
            round: plan.round,
            phase: plan.phase,
        });
        Current::<T>::insert(id, next);
        Plans::<T>::insert(id, plan);
    }

    /// Releases what is left, keeps the record, and makes room for another plan.
    fn finish_plan(id: PlanId, mut plan: PlanOf<T>, status: PlanStatus) {
        let released = T::Currency::release(
            &HoldReason::Escrow.into(),
            &plan.owner,
            plan.escrow,
            Precision::BestEffort,
        )
        .unwrap_or_else(|error| {
            log::error!(target: LOG_TARGET, "the escrow of plan {id} is stuck: {error:?}");
            0
        });
        plan.escrow = plan.escrow.saturating_sub(released);
        plan.status = status;
        plan.phase = Phase::Done;
        plan.deadline = Self::now();
        let weights = plan.weights;
        Current::<T>::remove(id);
        Corpora::<T>::remove(id);
        Feedback::<T>::remove(id);
        Plans::<T>::insert(id, plan);
        Running::<T>::mutate(|running| running.retain(|other| *other != id));
        Self::keep_plan(id);
        Self::deposit_event(match status {
            PlanStatus::Completed => Event::PlanCompleted { plan: id, weights },
            PlanStatus::GivenUp => Event::PlanGivenUp { plan: id, released },
            _ => Event::PlanCancelled { plan: id, released },
        });
    }

    /// Notes that a plan is over and forgets the oldest such plan when there are too many.
    fn keep_plan(id: PlanId) {
        let mut over = Over::<T>::get();
        if over.is_full() && !over.is_empty() {
            let oldest = over.remove(0);
            Plans::<T>::remove(oldest);
            // At most `KeptRounds`.
            for round in Rounds::<T>::iter_key_prefix(oldest).collect::<Vec<_>>() {
                Rounds::<T>::remove(oldest, round);
            }
        }
        // There is room now, because `KeptPlans` is not zero.
        if over.try_push(id).is_ok() {
            Over::<T>::put(over);
        }
    }

    /// The constants of a plan's rounds.
    pub(crate) fn rules(plan: &PlanRecord<T::AccountId>) -> Rules {
        Rules {
            minimum_workers: plan.minimum_workers,
            sequences: plan.sequences,
            per_worker: plan.recipe.sequences_per_worker(),
            held_out: u64::from(plan.recipe.held_out),
            segments: plan.recipe.segments(),
            auditors: T::Auditors::get(),
            attempts: T::MaxAttempts::get(),
            enrol_blocks: T::EnrolBlocks::get(),
            train_blocks: T::TrainBlocks::get(),
            audit_blocks: T::AuditBlocks::get(),
            claim_blocks: T::ClaimBlocks::get(),
            verdict_blocks: T::VerdictBlocks::get(),
        }
    }

    /// Height of the current block.
    pub(crate) fn now() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// A value for the draws of one plan in this block.
    fn randomness(id: PlanId, plan: &PlanOf<T>) -> H256 {
        let (value, _) = T::Randomness::random(b"agorai/training");
        // The parent's hash only where there is no such value: its author could try several.
        let value = value.unwrap_or_else(frame_system::Pallet::<T>::parent_hash);
        (b"agorai/training/draw/1", value, id, plan.round)
            .using_encoded(blake2_256)
            .into()
    }
}
