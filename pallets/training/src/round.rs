// SPDX-License-Identifier: Apache-2.0
//! One round as a value: `step(event) -> Result<Next, RoundRefusal>`. Knows no storage and no chain.
//!
//! | phase | ends when | then |
//! |---|---|---|
//! | `Enrol` | every member is a worker, or the deadline | `Train`, or void: too few workers, too little data |
//! | `Train` | every worker has contributed, or the deadline | a block later `Audit`, or void: too few contributions |
//! | `Audit` | every contribution is accepted or dropped | `Score`, or void: nothing accepted |
//! | `Score` | a claim on the scores has settled | `Aggregate`, or void: no gain, no executor |
//! | `Aggregate` | a claim on the new weights has settled | `Done`, or void: no executor |
//!
//! **Audit.** Two members, drawn after the commitments, re-execute one drawn segment of each
//! contribution. If both find what the worker committed to, it is accepted. As soon as one finds
//! something else, and at the deadline if only a part of them answered, every member is asked, once. More
//! than 2/3 of the bond then decide, where the worker's own bond stands for its commitment: with less
//! than a third of the bond cheating or silent, no honest worker and no honest auditor is slashed, and
//! every cheat that is accused by an honest auditor is. If no drawn auditor answers at all, the worker
//! may have withheld what they need, or they may be down: the contribution is dropped, nobody slashed.
//!
//! **Claims.** A drawn executor claims under its bond. If its claim does not settle, or it misses the
//! deadline, the next is drawn, a bounded number of times.

use crate::{
    scores::{judge, Entry},
    types::{Audit, DropReason, NewWeights, Output, Phase, Scores, VoidReason, Worker, WorkerStatus},
};
use agorai_primitives::{
    draw::{draw, draw_one},
    training::MAX_WORKERS,
    traits::Fault,
    Balance, BlobId, BlockNumber, JobId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::{H256, U256};
use sp_crypto_hashing::blake2_256;

/// Most members that audit one round: one bit each.
pub const MAX_VOTERS: u32 = 64;
/// Most executors that try one claim.
pub const MAX_ATTEMPTS: u32 = 8;

/// The constants of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Fewest workers, and fewest contributions.
    pub minimum_workers: u32,
    /// Sequences of the corpus.
    pub sequences: u64,
    /// Sequences that each worker needs.
    pub per_worker: u64,
    /// Sequences on which the contributions are scored.
    pub held_out: u64,
    /// Segments of a contribution.
    pub segments: u32,
    /// Auditors that are drawn for each contribution.
    pub auditors: u32,
    /// Executors that may try one claim.
    pub attempts: u32,
    /// Blocks of phase `Enrol`.
    pub enrol_blocks: BlockNumber,
    /// Blocks of phase `Train`.
    pub train_blocks: BlockNumber,
    /// Blocks of an audit, and again of a widened one.
    pub audit_blocks: BlockNumber,
    /// Blocks that an executor has for its claim.
    pub claim_blocks: BlockNumber,
    /// Blocks that a claim has for its verdict.
    pub verdict_blocks: BlockNumber,
}

/// When and among whom a step is made.
#[derive(Clone, Copy, Debug)]
pub struct StepContext<'a, AccountId> {
    /// The block.
    pub block: BlockNumber,
    /// The members and their bonds, at most [`MAX_VOTERS`].
    pub members: &'a [(AccountId, Balance)],
    /// A value that nobody could know in the block before the last.
    pub randomness: H256,
    /// The constants.
    pub rules: &'a Rules,
}

/// What happens to a round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoundInput<AccountId> {
    /// A block has begun.
    Tick,
    /// A member will train.
    Enrol {
        /// Which.
        who: AccountId,
    },
    /// A worker has trained.
    Contribute {
        /// Which.
        who: AccountId,
        /// Its payload.
        payload: BlobId,
    },
    /// A member has re-executed a segment.
    Audit {
        /// Which.
        by: AccountId,
        /// Whose.
        worker: u32,
        /// What it found.
        matches: bool,
    },
    /// An executor claims a result.
    Claim {
        /// Which.
        by: AccountId,
        /// How many tried before.
        attempt: u32,
        /// The result.
        output: Output,
    },
    /// The claim has ended.
    Verdict {
        /// Whether it settled.
        settled: bool,
    },
}

/// Why an event changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoundRefusal {
    /// It belongs to another phase.
    WrongPhase,
    /// The member is a worker already.
    AlreadyEnrolled,
    /// There are as many workers as there may be.
    RoundFull,
    /// The account is no worker of this round.
    NotAWorker,
    /// The worker has contributed already.
    AlreadyContributed,
    /// There is no contribution at this place, or its audit is over.
    NoAudit,
    /// The member is not asked about this contribution.
    NotAnAuditor,
    /// The member has audited this contribution already.
    AlreadyAudited,
    /// The claim is another account's to make, or another attempt's.
    NotExecutor,
    /// A claim has been made already.
    AlreadyClaimed,
    /// The output is not one of this phase, or not about the contributions of this round.
    WrongOutput,
    /// There is no open claim.
    NoClaim,
}

/// What a step means for the world around the round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<AccountId> {
    /// A bond is to be cut.
    Slash {
        /// Whose.
        who: AccountId,
        /// What for.
        fault: Fault,
    },
    /// A contribution does not count.
    Dropped {
        /// Whose.
        who: AccountId,
        /// Why.
        reason: DropReason,
    },
    /// This account has to make the claim of the phase.
    Executor {
        /// Which.
        who: AccountId,
    },
    /// The round is over and yields nothing.
    Void {
        /// Why.
        reason: VoidReason,
    },
    /// The round is over and yields new weights.
    Finished {
        /// Which.
        weights: NewWeights,
    },
}

/// A round after a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Next<AccountId> {
    /// The round.
    pub round: Round<AccountId>,
    /// What follows, in order.
    pub effects: Vec<Effect<AccountId>>,
}

/// Where the claim of phase `Score` or `Aggregate` stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ClaimStatus {
    /// The executor has not made it.
    Owed,
    /// It waits for its verdict.
    Open,
    /// It has settled.
    Settled,
    /// It has not settled.
    Failed,
}

/// The claim of phase `Score` or `Aggregate`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimAttempt<AccountId> {
    /// The job: set by who knows the whole spec.
    pub job: JobId,
    /// The executors that were drawn; the last one is to make the claim.
    pub executors: BoundedVec<AccountId, ConstU32<MAX_ATTEMPTS>>,
    /// Where its claim stands.
    pub status: ClaimStatus,
    /// What it claims.
    pub output: Option<Output>,
}

/// A round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Round<AccountId> {
    /// Where it stands.
    pub phase: Phase,
    /// When the phase ends at the latest.
    pub deadline: BlockNumber,
    /// Its workers. Fixed from phase `Train` on.
    pub workers: BoundedVec<Worker<AccountId>, ConstU32<MAX_WORKERS>>,
    /// No more contributions are taken: the auditors are drawn in the next block, with randomness
    /// that nobody knew while it could still contribute.
    pub closed: bool,
    /// Keys the assignment of data.
    pub seed: H256,
    /// Draws segments, auditors and held-out data.
    pub draw: H256,
    /// The members and their bonds when the audit began.
    pub voters: BoundedVec<(AccountId, Balance), ConstU32<MAX_VOTERS>>,
    /// The claim of the phase.
    pub claim_attempt: ClaimAttempt<AccountId>,
    /// The settled scores.
    pub scores: Scores,
}

type Effects<AccountId> = Vec<Effect<AccountId>>;

impl<AccountId: Clone + PartialEq> Round<AccountId> {
    /// A round that begins, with the workers that stay from the one before.
    pub fn new(stay: Vec<AccountId>, block: BlockNumber, rules: &Rules) -> Self {
        let workers = stay.into_iter().map(worker).collect();
        Self {
            phase: Phase::Enrol,
            deadline: block.saturating_add(rules.enrol_blocks),
            workers: BoundedVec::truncate_from(workers),
            closed: false,
            seed: H256::zero(),
            draw: H256::zero(),
            voters: BoundedVec::new(),
            claim_attempt: no_claim_attempt(),
            scores: BoundedVec::new(),
        }
    }

    /// The round after an event, and what follows from it.
    pub fn step(
        mut self,
        event: RoundInput<AccountId>,
        at: &StepContext<AccountId>,
    ) -> Result<Next<AccountId>, RoundRefusal> {
        let mut effects = Vec::new();
        match event {
            RoundInput::Tick => self.tick(at, &mut effects),
            RoundInput::Enrol { who } => self.enrol(who)?,
            RoundInput::Contribute { who, payload } => self.contribute(&who, payload)?,
            RoundInput::Audit { by, worker, matches } => self.audit(&by, worker, matches, at, &mut effects)?,
            RoundInput::Claim { by, attempt, output } => self.claim(&by, attempt, output, at)?,
            RoundInput::Verdict { settled } => self.verdict(settled, at)?,
        }
        Ok(Next { round: self, effects })
    }

    /// Place of a worker.
    pub fn place(&self, who: &AccountId) -> Option<u32> {
        self.workers
            .iter()
            .position(|worker| worker.account == *who)
            .map(|at| at as u32)
    }

    /// Whether a member has to re-execute a segment of the worker at a place.
    pub fn owes_audit(&self, by: &AccountId, worker: u32) -> bool {
        self.phase == Phase::Audit && self.auditor(by, worker).is_ok()
    }

    /// Who has to make the claim of the phase, and how many tried before.
    pub fn executor(&self) -> Option<(&AccountId, u32)> {
        let attempt = self.claim_attempt.executors.len().saturating_sub(1) as u32;
        let claiming = matches!(self.phase, Phase::Score | Phase::Aggregate);
        self.claim_attempt
            .executors
            .last()
            .filter(|_| claiming)
            .map(|who| (who, attempt))
    }

    /// Places and payloads of the contributions that count so far.
    pub fn accepted(&self) -> Vec<(u32, BlobId)> {
        (0u32..)
            .zip(self.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .map(|(place, worker)| (place, worker.payload))
            .collect()
    }

    /// Accounts and gains of the contributions that count.
    pub fn winners(&self) -> Vec<(AccountId, u64)> {
        (0u32..)
            .zip(self.workers.iter())
            .filter(|(_, worker)| worker.status == WorkerStatus::Accepted)
            .filter_map(|(place, worker)| {
                let score = self.scores.iter().find(|score| score.worker == place)?;
                Some((worker.account.clone(), u64::try_from(score.held_out).ok()?))
            })
            .collect()
    }

    /// The workers that are enrolled for the next round.
    pub fn stay(&self) -> Vec<AccountId> {
        use DropReason::{Cheated, Silent};
        let stays = |worker: &&Worker<AccountId>| {
            !matches!(
                worker.status,
                WorkerStatus::Dropped {
                    reason: Cheated | Silent
                }
            )
        };
        self.workers
            .iter()
            .filter(stays)
            .map(|worker| worker.account.clone())
            .collect()
    }

    fn tick(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        match self.phase {
            Phase::Enrol => {
                let full = self.workers.len() as u32 >= MAX_WORKERS;
                let all = at.members.iter().all(|(who, _)| self.place(who).is_some());
                let enough = self.workers.len() as u32 >= at.rules.minimum_workers;
                if at.block >= self.deadline || enough && (all || full) {
                    self.begin_training(at, effects);
                }
            }
            Phase::Train if self.closed => self.begin_audit(at, effects),
            Phase::Train => {
                let all = self
                    .workers
                    .iter()
                    .all(|worker| worker.status != WorkerStatus::Training);
                self.closed = all || at.block >= self.deadline;
            }
            Phase::Audit => self.close_audits(at, effects),
            Phase::Score | Phase::Aggregate => match self.claim_attempt.status {
                ClaimStatus::Settled => self.follow_claim(at, effects),
                ClaimStatus::Failed => self.next_executor(at, effects),
                ClaimStatus::Owed | ClaimStatus::Open if at.block >= self.deadline => self.next_executor(at, effects),
                ClaimStatus::Owed | ClaimStatus::Open => {}
            },
            Phase::Done => {}
        }
    }

    fn enrol(&mut self, who: AccountId) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Enrol, RoundRefusal::WrongPhase);
        ensure!(self.place(&who).is_none(), RoundRefusal::AlreadyEnrolled);
        self.workers.try_push(worker(who)).map_err(|_| RoundRefusal::RoundFull)
    }

    fn begin_training(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        self.workers
            .retain(|worker| at.members.iter().any(|(who, _)| *who == worker.account));
        let workers = self.workers.len() as u64;
        if workers < u64::from(at.rules.minimum_workers.max(1)) {
            return self.void(VoidReason::TooFewWorkers, effects);
        }
        let needs = at
            .rules
            .per_worker
            .saturating_mul(workers)
            .saturating_add(at.rules.held_out);
        if at.rules.sequences < needs {
            return self.void(VoidReason::TooLittleData, effects);
        }
        self.seed = mix(b"agorai/round-seed/1", &at.randomness, 0, 0);
        self.enter(Phase::Train, at.rules.train_blocks, at);
    }

    fn contribute(&mut self, who: &AccountId, payload: BlobId) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Train && !self.closed, RoundRefusal::WrongPhase);
        let order = self.contributions();
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

    fn contributions(&self) -> u32 {
        let contributed = |worker: &&Worker<AccountId>| worker.status == WorkerStatus::Contributed;
        self.workers.iter().filter(contributed).count() as u32
    }

    fn begin_audit(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        for place in 0..self.workers.len() {
            if self.workers[place].status == WorkerStatus::Training {
                self.drop(place, DropReason::Silent, effects);
            }
        }
        if self.contributions() < at.rules.minimum_workers.max(1) {
            return self.void(VoidReason::TooFewContributions, effects);
        }
        self.draw = mix(b"agorai/round-draw/1", &at.randomness, 0, 0);
        self.voters = BoundedVec::truncate_from(at.members.to_vec());
        self.enter(Phase::Audit, at.rules.audit_blocks, at);
        for place in 0..self.workers.len() {
            let segment = mix(b"agorai/segment/1", &self.draw, place, 0);
            let asked = self.draw_auditors(place, at.rules.auditors);
            let segment = number(&segment) % u64::from(at.rules.segments.max(1));
            self.workers[place].audit = Audit {
                segment: segment as u32,
                until: self.deadline,
                asked,
                ..Audit::default()
            };
        }
    }

    /// Draws auditors by bond among the voters without the worker itself.
    fn draw_auditors(&self, place: usize, count: u32) -> u64 {
        let worker = &self.workers[place].account;
        let bonds: Vec<Balance> = self
            .voters
            .iter()
            .map(|(who, bond)| if who == worker { 0 } else { *bond })
            .collect();
        let seed = mix(b"agorai/auditors/1", &self.draw, place, 0);
        draw(&seed, &bonds, count as usize)
            .into_iter()
            .fold(0, |asked, voter| asked | bit(voter))
    }

    /// The bit of a member that is asked about the contribution at a place and has not answered.
    fn auditor(&self, by: &AccountId, worker: u32) -> Result<u64, RoundRefusal> {
        let worker = self.workers.get(worker as usize).ok_or(RoundRefusal::NoAudit)?;
        ensure!(worker.status == WorkerStatus::Contributed, RoundRefusal::NoAudit);
        let voter = self.voters.iter().position(|(who, _)| who == by);
        let bit = voter.map(bit).ok_or(RoundRefusal::NotAnAuditor)?;
        let audit = &worker.audit;
        ensure!(audit.asked & bit != 0, RoundRefusal::NotAnAuditor);
        ensure!((audit.matches | audit.differs) & bit == 0, RoundRefusal::AlreadyAudited);
        Ok(bit)
    }

    fn audit(
        &mut self,
        by: &AccountId,
        worker: u32,
        matches: bool,
        at: &StepContext<AccountId>,
        effects: &mut Effects<AccountId>,
    ) -> Result<(), RoundRefusal> {
        ensure!(self.phase == Phase::Audit, RoundRefusal::WrongPhase);
        let bit = self.auditor(by, worker)?;
        let place = worker as usize;
        let audit = &mut self.workers[place].audit;
        if matches {
            audit.matches |= bit;
        } else {
            audit.differs |= bit;
        }
        let audit = *audit;
        if audit.widened {
            self.decide(place, effects);
        } else if audit.differs != 0 {
            self.widen(place, at);
            self.decide(place, effects);
        } else if audit.matches == audit.asked {
            self.workers[place].status = WorkerStatus::Accepted;
        }
        Ok(())
    }

    /// Asks every voter but the worker.
    fn widen(&mut self, place: usize, at: &StepContext<AccountId>) {
        let all = (0..self.voters.len()).fold(0, |all, voter| all | bit(voter));
        let own = self.own_bit(place);
        let until = at.block.saturating_add(at.rules.audit_blocks);
        let audit = &mut self.workers[place].audit;
        audit.widened = true;
        audit.asked = all & !own;
        audit.until = audit.until.max(until);
        self.deadline = self.deadline.max(audit.until);
    }

    fn own_bit(&self, place: usize) -> u64 {
        let account = &self.workers[place].account;
        self.voters.iter().position(|(who, _)| who == account).map_or(0, bit)
    }

    fn decide(&mut self, place: usize, effects: &mut Effects<AccountId>) {
        let audit = self.workers[place].audit;
        let all = self.bond(u64::MAX);
        let decides = |bits| self.bond(bits) * U256::from(3) > all * U256::from(2);
        if decides(audit.differs) {
            let who = self.workers[place].account.clone();
            effects.push(Effect::Slash {
                who,
                fault: Fault::WrongContribution,
            });
            self.drop(place, DropReason::Cheated, effects);
        } else if decides(audit.matches | self.own_bit(place)) {
            self.workers[place].status = WorkerStatus::Accepted;
            for (voter, (who, _)) in self.voters.iter().enumerate() {
                if audit.differs & bit(voter) != 0 {
                    let (who, fault) = (who.clone(), Fault::WrongAudit);
                    effects.push(Effect::Slash { who, fault });
                }
            }
        }
    }

    fn bond(&self, bits: u64) -> U256 {
        self.voters
            .iter()
            .enumerate()
            .filter(|(voter, _)| bits & bit(*voter) != 0)
            .fold(U256::zero(), |sum, (_, (_, bond))| sum + U256::from(*bond))
    }

    fn close_audits(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        for place in 0..self.workers.len() {
            let Worker { status, audit, .. } = self.workers[place];
            if status != WorkerStatus::Contributed || at.block < audit.until {
                continue;
            }
            if audit.widened {
                self.drop(place, DropReason::Undecided, effects);
            } else if audit.matches == 0 {
                self.drop(place, DropReason::Unaudited, effects);
            } else {
                self.widen(place, at);
                self.decide(place, effects);
            }
        }
        if self.contributions() > 0 {
            return;
        }
        if self.accepted().is_empty() {
            return self.void(VoidReason::NothingAudited, effects);
        }
        self.enter(Phase::Score, at.rules.claim_blocks, at);
        self.claim_attempt = no_claim_attempt();
        self.next_executor(at, effects);
    }

    fn next_executor(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        let tried = &mut self.claim_attempt.executors;
        let attempt = tried.len() as u32;
        let bonds: Vec<Balance> = at
            .members
            .iter()
            .map(|(who, bond)| if tried.contains(who) { 0 } else { *bond })
            .collect();
        let seed = mix(b"agorai/executor/1", &at.randomness, self.phase as usize, attempt);
        let chosen = draw_one(&seed, &bonds).and_then(|member| at.members.get(member));
        match chosen.filter(|_| attempt < at.rules.attempts) {
            Some((who, _)) if tried.try_push(who.clone()).is_ok() => {
                self.claim_attempt.status = ClaimStatus::Owed;
                self.claim_attempt.output = None;
                self.deadline = at.block.saturating_add(at.rules.claim_blocks);
                effects.push(Effect::Executor { who: who.clone() });
            }
            _ => self.void(VoidReason::NoExecutor, effects),
        }
    }

    fn claim(
        &mut self,
        by: &AccountId,
        attempt: u32,
        output: Output,
        at: &StepContext<AccountId>,
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
                    .eq(accepted.iter().map(|(place, _)| *place))
            }
            (Output::Weights(new), Phase::Aggregate) => new.weights != BlobId::default(),
            _ => false,
        };
        ensure!(fits, RoundRefusal::WrongOutput);
        self.claim_attempt.status = ClaimStatus::Open;
        self.claim_attempt.output = Some(output);
        self.deadline = at.block.saturating_add(at.rules.verdict_blocks);
        Ok(())
    }

    fn verdict(&mut self, settled: bool, at: &StepContext<AccountId>) -> Result<(), RoundRefusal> {
        ensure!(self.claim_attempt.status == ClaimStatus::Open, RoundRefusal::NoClaim);
        self.claim_attempt.status = if settled {
            ClaimStatus::Settled
        } else {
            ClaimStatus::Failed
        };
        // The next block goes on from here.
        self.deadline = at.block.saturating_add(1);
        Ok(())
    }

    fn follow_claim(&mut self, at: &StepContext<AccountId>, effects: &mut Effects<AccountId>) {
        match self.claim_attempt.output.take() {
            Some(Output::Scores(scores)) => {
                self.scores = scores;
                self.judge(effects);
                if self.accepted().is_empty() {
                    return self.void(VoidReason::NoGain, effects);
                }
                self.enter(Phase::Aggregate, at.rules.claim_blocks, at);
                self.claim_attempt = no_claim_attempt();
                self.next_executor(at, effects);
            }
            Some(Output::Weights(weights)) => {
                self.phase = Phase::Done;
                effects.push(Effect::Finished { weights });
            }
            // Not reached: a claim without an output does not open.
            None => self.next_executor(at, effects),
        }
    }

    fn judge(&mut self, effects: &mut Effects<AccountId>) {
        let scores = self.scores.clone();
        let entries: Vec<_> = scores
            .iter()
            .filter_map(|score| {
                let worker = self.workers.get(score.worker as usize)?;
                Some(Entry {
                    score: *score,
                    payload: worker.payload,
                    order: worker.order,
                })
            })
            .collect();
        for (entry, verdict) in entries.iter().zip(judge(&entries)) {
            if let Err(reason) = verdict {
                self.drop(entry.score.worker as usize, reason, effects);
            }
        }
    }

    fn enter(&mut self, phase: Phase, blocks: BlockNumber, at: &StepContext<AccountId>) {
        self.phase = phase;
        self.deadline = at.block.saturating_add(blocks);
    }

    fn drop(&mut self, place: usize, reason: DropReason, effects: &mut Effects<AccountId>) {
        self.workers[place].status = WorkerStatus::Dropped { reason };
        let who = self.workers[place].account.clone();
        effects.push(Effect::Dropped { who, reason });
    }

    fn void(&mut self, reason: VoidReason, effects: &mut Effects<AccountId>) {
        self.phase = Phase::Done;
        effects.push(Effect::Void { reason });
    }
}

fn worker<AccountId>(account: AccountId) -> Worker<AccountId> {
    Worker {
        account,
        status: WorkerStatus::Training,
        order: 0,
        payload: BlobId::default(),
        audit: Audit::default(),
    }
}

fn no_claim_attempt<AccountId>() -> ClaimAttempt<AccountId> {
    ClaimAttempt {
        job: JobId::zero(),
        executors: BoundedVec::new(),
        status: ClaimStatus::Owed,
        output: None,
    }
}

/// The bit of a voter; there are at most [`MAX_VOTERS`].
fn bit(voter: usize) -> u64 {
    1u64.checked_shl(voter as u32).unwrap_or(0)
}

/// The first eight bytes as a number.
fn number(hash: &H256) -> u64 {
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn mix(domain: &[u8], value: &H256, place: usize, turn: u32) -> H256 {
    (domain, value, place as u32, turn).using_encoded(blake2_256).into()
}
