// SPDX-License-Identifier: Apache-2.0
//! Phase `Train`: workers commit to their contributions.

use super::{
    effect::Effects,
    input::RoundRefusal,
    phase::{Phase, VoidReason},
    rules::StepContext,
    state::Round,
    worker::{DropReason, Worker, WorkerStatus},
};
use agorai_primitives::BlobId;
use frame_support::ensure;

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    pub(super) fn contribute(&mut self, who: &AccountId, payload: BlobId) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Train && !self.closed, RoundRefusal::WrongPhase);
        let order = self.contribution_count();
        let worker = self.workers.iter_mut().find(|worker| worker.account == *who);
        let worker = worker.ok_or(RoundRefusal::NotAWorker)?;
        ensure!(
            worker.status == WorkerStatus::Training,
            RoundRefusal::AlreadyContributed
        );
        worker.status = WorkerStatus::Contributed;
        worker.order = order;
        worker.payload = payload;
        Ok(())
    }

    /// Closes the phase when every worker has contributed or the deadline expires, and begins the audits one block
    /// later.
    pub(super) fn tick_contributions(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        if self.closed {
            return self.end_training(context, effects);
        }
        let complete = self
            .workers
            .iter()
            .all(|worker| worker.status != WorkerStatus::Training);
        self.closed = complete || context.block >= self.deadline;
    }

    fn end_training(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        for index in 0..self.workers.len() {
            if self.workers[index].status == WorkerStatus::Training {
                self.drop_worker(index, DropReason::Silent, effects);
            }
        }
        if self.contribution_count() < context.rules.minimum_workers.max(1) {
            return self.end_void(VoidReason::TooFewContributions, effects);
        }
        self.begin_audits(context);
    }

    /// Number of contributions that are neither accepted nor dropped yet.
    pub(super) fn contribution_count(&self) -> u32 {
        let contributed = |worker: &&Worker<AccountId>| worker.status == WorkerStatus::Contributed;
        self.workers.iter().filter(contributed).count() as u32
    }
}
