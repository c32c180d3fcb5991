// SPDX-License-Identifier: Apache-2.0
//! The state of a round.

use super::{
    claim_attempt::{ClaimAttempt, Scores},
    effect::{Effect, Effects},
    phase::{Phase, VoidReason},
    rules::{Rules, StepContext, MAX_VOTERS},
    worker::{DropReason, Worker, WorkerStatus},
};
use agorai_primitives::{training::MAX_WORKERS, Balance, BlobId, BlockNumber};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;

/// A round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Round<AccountId> {
    /// The current phase.
    pub phase: Phase,
    /// The block in which the phase ends at the latest.
    pub deadline: BlockNumber,
    /// The workers. The list is fixed from phase `Train` on.
    pub workers: BoundedVec<Worker<AccountId>, ConstU32<MAX_WORKERS>>,
    /// Whether phase `Train` accepts no more contributions. The next block draws the auditors, with randomness that was
    /// unknown while workers could contribute.
    pub closed: bool,
    /// Seed of the assignment of sequences to workers.
    pub seed: H256,
    /// Seed of the draws of segments, auditors and held-out data.
    pub draw: H256,
    /// The members and their bonds when phase `Audit` began.
    pub voters: BoundedVec<(AccountId, Balance), ConstU32<MAX_VOTERS>>,
    /// The claim of phase `Score` or `Aggregate`.
    pub claim_attempt: ClaimAttempt<AccountId>,
    /// The settled scores.
    pub scores: Scores,
}

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    /// A round in phase `Enrol` with the workers retained from the previous round.
    pub fn new(retained: Vec<AccountId>, block: BlockNumber, rules: &Rules) -> Self {
        let workers = retained.into_iter().map(Worker::new).collect();
        Self {
            phase: Phase::Enrol,
            deadline: block.saturating_add(rules.enrol_blocks),
            workers: BoundedVec::truncate_from(workers),
            closed: false,
            seed: H256::zero(),
            draw: H256::zero(),
            voters: BoundedVec::new(),
            claim_attempt: ClaimAttempt::default(),
            scores: BoundedVec::new(),
        }
    }

    /// The index of a worker.
    pub fn worker_index(&self, who: &AccountId) -> Option<u32> {
        self.workers
            .iter()
            .position(|worker| worker.account == *who)
            .map(|index| index as u32)
    }

    /// Worker indices and payloads of the accepted contributions.
    pub fn accepted(&self) -> Vec<(u32, BlobId)> {
        (0u32..)
            .zip(self.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .map(|(index, worker)| (index, worker.payload))
            .collect()
    }

    /// Accounts of the accepted contributions and their gains on held-out data, in micro-nats per token.
    pub fn gains(&self) -> Vec<(AccountId, u64)> {
        (0u32..)
            .zip(self.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .filter_map(|(index, worker)| {
                let score = self.scores.iter().find(|score| score.worker == index)?;
                Some((worker.account.clone(), u64::try_from(score.held_out).ok()?))
            })
            .collect()
    }

    /// The workers that remain enrolled for the next round: all but those that were silent or slashed.
    pub fn retained_workers(&self) -> Vec<AccountId> {
        use DropReason::{Cheated, Silent};
        let retained = |worker: &&Worker<AccountId>| {
            !matches!(
                worker.status,
                WorkerStatus::Dropped {
                    reason: Cheated | Silent
                }
            )
        };
        self.workers
            .iter()
            .filter(retained)
            .map(|worker| worker.account.clone())
            .collect()
    }

    /// Enters a phase that lasts at most `blocks` blocks.
    pub(super) fn enter(&mut self, phase: Phase, blocks: BlockNumber, context: &StepContext<AccountId>) {
        self.phase = phase;
        self.deadline = context.block.saturating_add(blocks);
    }

    /// Drops the contribution of a worker.
    pub(super) fn drop_worker(&mut self, index: usize, reason: DropReason, effects: &mut Effects<AccountId>) {
        self.workers[index].status = WorkerStatus::Dropped { reason };
        let who = self.workers[index].account.clone();
        effects.push(Effect::Dropped { who, reason });
    }

    /// Ends the round without new weights.
    pub(super) fn end_void(&mut self, reason: VoidReason, effects: &mut Effects<AccountId>) {
        self.phase = Phase::Done;
        effects.push(Effect::Void { reason });
    }
}
