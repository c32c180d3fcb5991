// SPDX-License-Identifier: Apache-2.0
//! The progress of a plan's current round: ticks, effects of transitions, and the end of a round.

use crate::{
    contribution::Feedbacks,
    plan::{PlanRecord, PlanStatus, RoundSummary},
    round::{
        Effect, NewWeights, Phase, Round, RoundInput, Rules, StepContext, Transition, VoidReason, WorkerStatus,
        MAX_VOTERS,
    },
    Config, Contributions, CurrentRounds, Event, Feedback, Jobs, Pallet, PlanOf, Plans, RoundOf, Rounds, LOG_TARGET,
};
use agorai_primitives::{
    traits::{Fault, ModelRegistry, SessionMembers, Slash, TrainingOrigin},
    Balance, BlockNumber, PlanId,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::traits::{Get, Randomness};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::SaturatedConversion;

impl<T: Config> Pallet<T> {
    /// The members with the largest bonds, at most [`MAX_VOTERS`], with their bonds.
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

    /// Advances the current round of a plan by one block.
    pub(crate) fn tick(id: PlanId, members: &[(T::AccountId, Balance)]) {
        let (Some(plan), Some(round)) = (Plans::<T>::get(id), CurrentRounds::<T>::get(id)) else {
            log::error!(target: LOG_TARGET, "running plan {id} has no record or no round");
            return;
        };
        let rules = Self::rules(&plan);
        let context = StepContext {
            block: Self::now(),
            members,
            randomness: Self::draw_randomness(id, &plan),
            rules: &rules,
        };
        let before = round.clone();
        match round.step(RoundInput::Tick, &context) {
            Ok(transition) if transition.round == before => {}
            Ok(transition) => Self::apply(id, plan, transition),
            // Not reached: a round does not refuse ticks.
            Err(refusal) => log::error!(target: LOG_TARGET, "plan {id} refuses a tick: {refusal:?}"),
        }
    }

    /// Applies the effects of a transition and writes the round, or ends it.
    pub(crate) fn apply(id: PlanId, mut plan: PlanOf<T>, transition: Transition<T::AccountId>) {
        let Transition { mut round, effects } = transition;
        if plan.phase != round.phase {
            Self::set_claim_job(id, &plan, &mut round);
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
                Effect::Void { reason } => return Self::end_round_void(id, plan, round, reason),
                Effect::Finished { weights } => return Self::end_round_with_weights(id, plan, round, weights),
            }
        }
        plan.deadline = round.deadline;
        CurrentRounds::<T>::insert(id, round);
        Plans::<T>::insert(id, plan);
    }

    /// Sets the job of the claim when a round enters a new phase, and removes the job of the previous phase.
    fn set_claim_job(id: PlanId, plan: &PlanOf<T>, round: &mut RoundOf<T>) {
        if let Some(previous) = CurrentRounds::<T>::get(id) {
            Jobs::<T>::remove(previous.claim_attempt.job);
        }
        if let Some(spec) = Self::claim_spec(id, plan, round) {
            round.claim_attempt.job = spec.id();
            Jobs::<T>::insert(round.claim_attempt.job, id);
        }
    }

    /// Ends a round without new weights. Emits [`Event::RoundVoid`].
    fn end_round_void(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, reason: VoidReason) {
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
        // The error feedback of contributions that were not aggregated is discarded.
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

    /// Adds the new version to the model and pays the workers. Emits [`Event::RoundCompleted`].
    fn end_round_with_weights(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, new: NewWeights) {
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
                log::warn!(target: LOG_TARGET, "the model refuses the version of plan {id}: {error:?}");
                // The workers are paid because their work is verified and its weights are public: retiring the model
                // before the verdict must not avoid the payment.
                Self::pay_workers(id, &mut plan, &round.gains());
                plan.status = PlanStatus::Stopping;
                return Self::end_round_void(id, plan, round, VoidReason::ModelRefused);
            }
        };
        plan.version = version;
        plan.weights = weights;
        plan.void_in_a_row = 0;
        let gains = round.gains();
        let paid = Self::pay_workers(id, &mut plan, &gains);
        let feedback: Vec<_> = (0u32..)
            .zip(round.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .filter_map(|(index, worker)| {
                let contribution = Contributions::<T>::get(id, index)?;
                Some((worker.account.clone(), contribution.error_feedback))
            })
            .collect();
        Feedback::<T>::insert(id, Feedbacks::<T::AccountId>::truncate_from(feedback));
        let summary = RoundSummary {
            workers: round.workers.len() as u32,
            accepted: gains.len() as u32,
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

    /// Stores the summary of a round and begins the next one, or ends the plan.
    fn end_round(id: PlanId, mut plan: PlanOf<T>, round: RoundOf<T>, summary: RoundSummary) {
        for index in 0..round.workers.len() as u32 {
            Contributions::<T>::remove(id, index);
        }
        if let Some(pruned) = plan.round.checked_sub(T::RetainedRounds::get()) {
            Rounds::<T>::remove(id, pruned);
        }
        Rounds::<T>::insert(id, plan.round, summary);
        plan.round = plan.round.saturating_add(1);
        let end = if plan.status == PlanStatus::Stopping {
            Some(PlanStatus::Cancelled)
        } else if plan.round >= plan.rounds {
            Some(PlanStatus::Completed)
        } else if plan.void_in_a_row >= T::MaxVoidRounds::get() {
            Some(PlanStatus::Abandoned)
        } else {
            None
        };
        if let Some(status) = end {
            return Self::end_plan(id, plan, status);
        }
        let next = Round::new(round.retained_workers(), Self::now(), &Self::rules(&plan));
        plan.phase = next.phase;
        plan.deadline = next.deadline;
        Self::deposit_event(Event::PhaseChanged {
            plan: id,
            round: plan.round,
            phase: plan.phase,
        });
        CurrentRounds::<T>::insert(id, next);
        Plans::<T>::insert(id, plan);
    }

    /// The parameters of a plan's rounds.
    pub(crate) fn rules(plan: &PlanRecord<T::AccountId>) -> Rules {
        Rules {
            minimum_workers: plan.minimum_workers,
            sequences: plan.sequences,
            sequences_per_worker: plan.recipe.sequences_per_worker(),
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

    /// The current block number.
    pub(crate) fn now() -> BlockNumber {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// The randomness for the draws of a plan in this block.
    fn draw_randomness(id: PlanId, plan: &PlanOf<T>) -> H256 {
        let (value, _) = T::Randomness::random(b"agorai/training");
        // The hash of the parent block only if there is no randomness: its author can influence it.
        let value = value.unwrap_or_else(frame_system::Pallet::<T>::parent_hash);
        (b"agorai/training/draw/1", value, id, plan.round)
            .using_encoded(blake2_256)
            .into()
    }
}
