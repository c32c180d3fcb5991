// SPDX-License-Identifier: Apache-2.0
//! Phase `Enrol`: members become workers.

use super::{
    draws::derive_seed,
    effect::Effects,
    input::RoundRefusal,
    phase::{Phase, VoidReason},
    rules::StepContext,
    state::Round,
    worker::Worker,
};
use agorai_primitives::training::MAX_WORKERS;
use frame_support::ensure;

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    pub(super) fn enrol(&mut self, who: AccountId) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Enrol, RoundRefusal::WrongPhase);
        ensure!(self.worker_index(&who).is_none(), RoundRefusal::AlreadyEnrolled);
        self.workers
            .try_push(Worker::new(who))
            .map_err(|_| RoundRefusal::RoundFull)
    }

    /// Begins phase `Train` at the deadline, or earlier if enough workers and no further ones can enrol.
    pub(super) fn tick_enrolment(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        let full = self.workers.len() as u32 >= MAX_WORKERS;
        let complete = context.members.iter().all(|(who, _)| self.worker_index(who).is_some());
        let enough = self.workers.len() as u32 >= context.rules.minimum_workers;
        if context.block >= self.deadline || enough && (complete || full) {
            self.begin_training(context, effects);
        }
    }

    fn begin_training(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        self.workers
            .retain(|worker| context.members.iter().any(|(who, _)| *who == worker.account));
        let workers = self.workers.len() as u64;
        let rules = context.rules;
        if workers < u64::from(rules.minimum_workers.max(1)) {
            return self.end_void(VoidReason::TooFewWorkers, effects);
        }
        let required = rules
            .sequences_per_worker
            .saturating_mul(workers)
            .saturating_add(rules.held_out);
        if rules.sequences < required {
            return self.end_void(VoidReason::TooLittleData, effects);
        }
        self.seed = derive_seed(b"agorai/round-seed/1", &context.randomness, 0, 0);
        self.enter(Phase::Train, rules.train_blocks, context);
    }
}
