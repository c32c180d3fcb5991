// SPDX-License-Identifier: Apache-2.0
//! Phase `Audit`: auditors re-execute segments of the contributions.

use super::{
    draws::{derive_seed, leading_u64},
    effect::{Effect, Effects},
    input::RoundRefusal,
    phase::{Phase, VoidReason},
    rules::StepContext,
    state::Round,
    worker::{Audit, DropReason, Worker, WorkerStatus},
};
use agorai_primitives::{draw::draw, traits::Fault, Balance};
use alloc::vec::Vec;
use frame_support::{ensure, BoundedVec};
use sp_core::U256;

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    /// Whether a member has to re-execute a segment of a worker and has not reported it.
    pub fn owes_audit(&self, by: &AccountId, worker: u32) -> bool {
        self.phase == Phase::Audit && self.auditor_bit(by, worker).is_ok()
    }

    /// Draws a segment and auditors for each contribution.
    pub(super) fn begin_audits(&mut self, context: &StepContext<AccountId>) {
        self.draw = derive_seed(b"agorai/round-draw/1", &context.randomness, 0, 0);
        self.voters = BoundedVec::truncate_from(context.members.to_vec());
        self.enter(Phase::Audit, context.rules.audit_blocks, context);
        for index in 0..self.workers.len() {
            let seed = derive_seed(b"agorai/segment/1", &self.draw, index, 0);
            let segment = leading_u64(&seed) % u64::from(context.rules.segments.max(1));
            let asked = self.draw_auditors(index, context.rules.auditors);
            self.workers[index].audit = Audit {
                segment: segment as u32,
                deadline: self.deadline,
                asked,
                ..Audit::default()
            };
        }
    }

    /// Draws auditors among the voters other than the worker, with their bonds as weights. Returns their bits.
    fn draw_auditors(&self, index: usize, count: u32) -> u64 {
        let worker = &self.workers[index].account;
        let bonds: Vec<Balance> = self
            .voters
            .iter()
            .map(|(who, bond)| if who == worker { 0 } else { *bond })
            .collect();
        let seed = derive_seed(b"agorai/auditors/1", &self.draw, index, 0);
        draw(&seed, &bonds, count as usize)
            .into_iter()
            .fold(0, |asked, voter| asked | bit(voter))
    }

    /// The bit of an auditor of a worker that has not reported yet.
    fn auditor_bit(&self, by: &AccountId, worker: u32) -> Result<u64, RoundRefusal> {
        let worker = self.workers.get(worker as usize).ok_or(RoundRefusal::NoAudit)?;
        ensure!(worker.status == WorkerStatus::Contributed, RoundRefusal::NoAudit);
        let voter = self.voters.iter().position(|(who, _)| who == by);
        let bit = voter.map(bit).ok_or(RoundRefusal::NotAnAuditor)?;
        let audit = &worker.audit;
        ensure!(audit.asked & bit != 0, RoundRefusal::NotAnAuditor);
        ensure!((audit.matches | audit.differs) & bit == 0, RoundRefusal::AlreadyAudited);
        Ok(bit)
    }

    pub(super) fn report_audit(
        &mut self,
        by: &AccountId,
        worker: u32,
        matches: bool,
        context: &StepContext<AccountId>,
        effects: &mut Effects<AccountId>,
    ) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Audit, RoundRefusal::WrongPhase);
        let bit = self.auditor_bit(by, worker)?;
        let index = worker as usize;
        let audit = &mut self.workers[index].audit;
        if matches {
            audit.matches |= bit;
        } else {
            audit.differs |= bit;
        }
        let audit = *audit;
        if audit.widened {
            self.decide_audit(index, effects);
        } else if audit.differs != 0 {
            self.widen_audit(index, context);
            self.decide_audit(index, effects);
        } else if audit.matches == audit.asked {
            self.workers[index].status = WorkerStatus::Accepted;
        }
        Ok(())
    }

    /// Ends the audits whose deadline has expired, and begins phase `Score` when none is left.
    pub(super) fn tick_audits(&mut self, context: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        for index in 0..self.workers.len() {
            let Worker { status, audit, .. } = self.workers[index];
            if status != WorkerStatus::Contributed || context.block < audit.deadline {
                continue;
            }
            if audit.widened {
                self.drop_worker(index, DropReason::Undecided, effects);
            } else if audit.matches == 0 {
                self.drop_worker(index, DropReason::Unaudited, effects);
            } else {
                self.widen_audit(index, context);
                self.decide_audit(index, effects);
            }
        }
        if self.contribution_count() > 0 {
            return;
        }
        if self.accepted().is_empty() {
            return self.end_void(VoidReason::NothingAudited, effects);
        }
        self.begin_claim(Phase::Score, context, effects);
    }

    /// Makes every voter but the worker an auditor, and extends the deadlines.
    fn widen_audit(&mut self, index: usize, context: &StepContext<AccountId>) {
        let all = (0..self.voters.len()).fold(0, |all, voter| all | bit(voter));
        let own = self.worker_bit(index);
        let deadline = context.block.saturating_add(context.rules.audit_blocks);
        let audit = &mut self.workers[index].audit;
        audit.widened = true;
        audit.asked = all & !own;
        audit.deadline = audit.deadline.max(deadline);
        self.deadline = self.deadline.max(audit.deadline);
    }

    /// Decides a widened audit if more than 2/3 of the bond agree. The worker's own bond counts for its commitment.
    fn decide_audit(&mut self, index: usize, effects: &mut Effects<AccountId>) {
        let audit = self.workers[index].audit;
        let total = self.bond_of(u64::MAX);
        let is_quorum = |bits| self.bond_of(bits) * U256::from(3) > total * U256::from(2);
        if is_quorum(audit.differs) {
            let who = self.workers[index].account.clone();
            effects.push(Effect::Slash {
                who,
                fault: Fault::WrongContribution,
            });
            self.drop_worker(index, DropReason::Cheated, effects);
        } else if is_quorum(audit.matches | self.worker_bit(index)) {
            self.workers[index].status = WorkerStatus::Accepted;
            for (voter, (who, _)) in self.voters.iter().enumerate() {
                if audit.differs & bit(voter) != 0 {
                    let (who, fault) = (who.clone(), Fault::WrongAudit);
                    effects.push(Effect::Slash { who, fault });
                }
            }
        }
    }

    /// The bit of a worker among the voters; 0 if it is not a voter.
    fn worker_bit(&self, index: usize) -> u64 {
        let account = &self.workers[index].account;
        self.voters.iter().position(|(who, _)| who == account).map_or(0, bit)
    }

    /// The sum of the bonds of a set of voters.
    fn bond_of(&self, bits: u64) -> U256 {
        self.voters
            .iter()
            .enumerate()
            .filter(|(voter, _)| bits & bit(*voter) != 0)
            .fold(U256::zero(), |sum, (_, (_, bond))| sum + U256::from(*bond))
    }
}

/// The bit of a voter. Their number is at most [`super::MAX_VOTERS`].
fn bit(voter: usize) -> u64 {
    1u64.checked_shl(voter as u32).unwrap_or(0)
}
