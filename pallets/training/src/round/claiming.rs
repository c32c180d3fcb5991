// SPDX-License-Identifier: Apache-2.0
//! Phases `Score` and `Aggregate`: executors claim the scores, then the new weights.

use super::{
    claim_attempt::{ClaimAttempt, ClaimStatus, Output},
    draws::derive_seed,
    effect::{Effect, Effects},
    input::RoundRefusal,
    phase::{Phase, VoidReason},
    rules::StepContext,
    scores::{evaluate, ScoredContribution},
    state::Round,
};
use agorai_primitives::{draw::draw_one, Balance, BlobId};
use alloc::vec::Vec;
use frame_support::ensure;

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    /// The current executor and the number of executors drawn earlier; `None` in other phases.
    pub fn executor(&self) -> Option<(&AccountId, u32)> {
        if !matches!(self.phase, Phase::Score | Phase::Aggregate) {
            return None;
        }
        let executors = &self.claim_attempt.executors;
        let attempt = executors.len().saturating_sub(1) as u32;
        executors.last().map(|who| (who, attempt))
    }

    /// Enters phase `Score` or `Aggregate` and draws its first executor.
    pub(super) fn begin_claim(
        &mut self,
        phase: Phase,
        context: &StepContext<AccountId>,
        effects: &mut Effects<AccountId>,
    ) {
        self.enter(phase, context.rules.claim_blocks, context);
        self.claim_attempt = ClaimAttempt::default();
        self.draw_executor(context, effects);
    }

    /// Draws the next executor among the members that have not been drawn in this phase, with their bonds as weights.
    /// Ends the round if there is none or the maximum number of attempts is reached.
    fn draw_executor(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        let tried = &mut self.claim_attempt.executors;
        let attempt = tried.len() as u32;
        let bonds: Vec<Balance> = context
            .members
            .iter()
            .map(|(who, bond)| if tried.contains(who) { 0 } else { *bond })
            .collect();
        let seed = derive_seed(b"agorai/executor/1", &context.randomness, self.phase as usize, attempt);
        let drawn = draw_one(&seed, &bonds).and_then(|index| context.members.get(index));
        match drawn.filter(|_| attempt < context.rules.attempts) {
            Some((who, _)) if tried.try_push(who.clone()).is_ok() => {
                self.claim_attempt.status = ClaimStatus::Owed;
                self.claim_attempt.output = None;
                self.deadline = context.block.saturating_add(context.rules.claim_blocks);
                effects.push(Effect::Executor { who: who.clone() });
            }
            _ => self.end_void(VoidReason::NoExecutor, effects),
        }
    }

    pub(super) fn claim(
        &mut self,
        by: &AccountId,
        attempt: u32,
        output: Output,
        context: &StepContext<AccountId>,
    ) -> Result<(), RoundRefusal> {
        let Some((executor, current)) = self.executor() else {
            return Err(RoundRefusal::WrongPhase);
        };
        ensure!(executor == by && current == attempt, RoundRefusal::NotExecutor);
        ensure!(
            self.claim_attempt.status == ClaimStatus::Owed,
            RoundRefusal::AlreadyClaimed
        );
        let fits = match (&output, self.phase) {
            (Output::Scores(scores), Phase::Score) => {
                let accepted = self.accepted();
                scores
                    .iter()
                    .map(|score| score.worker)
                    .eq(accepted.iter().map(|(index, _)| *index))
            }
            (Output::Weights(new), Phase::Aggregate) => new.weights != BlobId::default(),
            _ => false,
        };
        ensure!(fits, RoundRefusal::WrongOutput);
        self.claim_attempt.status = ClaimStatus::Open;
        self.claim_attempt.output = Some(output);
        self.deadline = context.block.saturating_add(context.rules.verdict_blocks);
        Ok(())
    }

    pub(super) fn record_verdict(
        &mut self,
        settled: bool,
        context: &StepContext<AccountId>,
    ) -> Result<(), RoundRefusal> {
        ensure!(self.claim_attempt.status == ClaimStatus::Open, RoundRefusal::NoClaim);
        self.claim_attempt.status = if settled {
            ClaimStatus::Settled
        } else {
            ClaimStatus::Failed
        };
        // The next tick applies the verdict.
        self.deadline = context.block.saturating_add(1);
        Ok(())
    }

    /// Applies a verdict, or draws the next executor when the deadline of the claim or of its verdict expires.
    pub(super) fn tick_claim(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        match self.claim_attempt.status {
            ClaimStatus::Settled => self.apply_output(context, effects),
            ClaimStatus::Failed => self.draw_executor(context, effects),
            ClaimStatus::Owed | ClaimStatus::Open if context.block >= self.deadline => {
                self.draw_executor(context, effects)
            }
            ClaimStatus::Owed | ClaimStatus::Open => {}
        }
    }

    /// Ends the phase with the output of the settled claim.
    fn apply_output(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        match self.claim_attempt.output.take() {
            Some(Output::Scores(scores)) => {
                self.scores = scores;
                self.drop_without_gain(effects);
                if self.accepted().is_empty() {
                    return self.end_void(VoidReason::NoGain, effects);
                }
                self.begin_claim(Phase::Aggregate, context, effects);
            }
            Some(Output::Weights(weights)) => {
                self.phase = Phase::Done;
                effects.push(Effect::Finished { weights });
            }
            // Not reached: an open claim has an output.
            None => self.draw_executor(context, effects),
        }
    }

    /// Drops the contributions that have no gain or are copies.
    fn drop_without_gain(&mut self, effects: &mut Effects<AccountId>) {
        let scored: Vec<_> = self
            .scores
            .iter()
            .filter_map(|score| {
                let worker = self.workers.get(score.worker as usize)?;
                Some(ScoredContribution {
                    score: *score,
                    payload: worker.payload,
                    order: worker.order,
                })
            })
            .collect();
        for (contribution, evaluation) in scored.iter().zip(evaluate(&scored)) {
            if let Err(reason) = evaluation {
                self.drop_worker(contribution.score.worker as usize, reason, effects);
            }
        }
    }
}
