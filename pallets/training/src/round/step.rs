// SPDX-License-Identifier: Apache-2.0
//! The transition function of a round.

use super::{
    effect::Effects,
    input::{RoundInput, RoundRefusal},
    phase::Phase,
    rules::StepContext,
    state::Round,
};
use alloc::vec::Vec;

/// The result of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transition<AccountId> {
    /// The round after the step.
    pub round: Round<AccountId>,
    /// The effects, in order.
    pub effects: Effects<AccountId>,
}

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    /// The round after an input and the effects of the input, or why the round refuses it. Never refuses
    /// [`RoundInput::Tick`].
    pub fn step(
        mut self,
        input: RoundInput<AccountId>,
        context: &StepContext<AccountId>,
    ) -> Result<Transition<AccountId>, RoundRefusal> {
        let mut effects = Vec::new();
        match input {
            RoundInput::Tick => self.tick(context, &mut effects),
            RoundInput::Enrol { who } => self.enrol(who)?,
            RoundInput::Contribute { who, payload } => self.contribute(&who, payload)?,
            RoundInput::Audit { by, worker, matches } => {
                self.report_audit(&by, worker, matches, context, &mut effects)?
            }
            RoundInput::Claim { by, attempt, output } => self.claim(&by, attempt, output, context)?,
            RoundInput::Verdict { settled } => self.record_verdict(settled, context)?,
        }
        Ok(Transition { round: self, effects })
    }

    /// Applies the deadlines and completed phases of a block.
    fn tick(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        match self.phase {
            Phase::Enrol => self.tick_enrolment(context, effects),
            Phase::Train => self.tick_contributions(context, effects),
            Phase::Audit => self.tick_audits(context, effects),
            Phase::Score | Phase::Aggregate => self.tick_claim(context, effects),
            Phase::Done => {}
        }
    }
}
