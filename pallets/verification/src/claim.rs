// SPDX-License-Identifier: Apache-2.0
//! The life of a claim as a value: `step(event) -> Result<Transition, ClaimRefusal>`. No storage, no clock.
//!
//! ```text
//! Drawing --randomness of k blocks--> Checking --quorum opened--> settled
//!                                        |
//!                                        | a dispute, no quorum possible any more, or the deadline
//!                                        v
//! Everyone ---------------------------> Widened --quorum opened--> settled
//!                                        | more than 2/3 computed the same other trace --> refused
//!                                        | neither possible any more, or the deadline  --> unresolved
//! ```
//!
//! A drawn committee can settle a claim that nobody in it disputes. Everything else, and with it every
//! slash, is decided by more than 2/3 of the whole set's bond: a draw that happens to hit many cheats can
//! neither have an honest executor nor an honest checker punished.

use agorai_primitives::{
    draw,
    job::JobFailure,
    receipt::{receipt, secret_hash, ClaimDigest},
    traits::CommitteeRule,
    Balance, JobId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Most members that can have a voice on one claim.
pub const MAX_MEMBERS: u32 = 128;

/// What a member says about a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Answer {
    /// It computed the same trace: `H(account || job || S)`.
    Agree(H256),
    /// It computed another one. Both are zero where the claimed output cannot come out of the job at all.
    Differ {
        /// Hash of the output.
        result: H256,
        /// Root of the trace.
        root: H256,
    },
    /// It could not compute the job. Never slashed.
    Unable(JobFailure),
}

/// Someone of the set, without the executor.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Voter<AccountId> {
    /// Its account.
    pub account: AccountId,
    /// Its bond when the claim was made: the weight of its voice.
    pub bond: Balance,
    /// Whether it is asked: drawn, or the claim has been widened.
    pub asked: bool,
    /// What it said.
    pub answer: Option<Answer>,
}

/// Where a claim stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Phase {
    /// Waits for the randomness of blocks that come after it.
    Drawing {
        /// What the blocks so far have yielded.
        seed: H256,
        /// How many more blocks.
        left: u32,
        /// How many will be drawn.
        size: u32,
    },
    /// A drawn committee checks.
    Checking,
    /// The whole set checks, and the executor's own bond stands for its claim.
    Widened,
}

/// An open claim. The set and its bonds are fixed when it is made.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Claim<AccountId> {
    /// Who claims.
    pub executor: AccountId,
    /// Its bond when it claimed.
    pub executor_bond: Balance,
    /// What it claims.
    pub digest: ClaimDigest,
    /// Where the claim stands.
    pub phase: Phase,
    /// Everybody else in the set.
    pub voters: BoundedVec<Voter<AccountId>, ConstU32<MAX_MEMBERS>>,
}

/// What can happen to a claim.
#[derive(Clone, Debug)]
pub enum ClaimInput<'a, AccountId> {
    /// Another block's value for the draw.
    Randomness(H256),
    /// A member answers.
    Answered {
        /// The member.
        member: &'a AccountId,
        /// Its answer.
        answer: Answer,
    },
    /// Somebody opens S.
    Opened {
        /// The job of the claim.
        job: &'a JobId,
        /// S.
        secret: &'a H256,
    },
    /// The time of the phase is over.
    Deadline,
}

/// What follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transition<AccountId> {
    /// Nothing yet.
    Stay,
    /// The committee is drawn and a deadline begins.
    Drawn,
    /// The whole set is asked and a new deadline begins.
    Widened,
    /// The claim is over.
    Ended(Outcome<AccountId>),
}

/// How a claim ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<AccountId> {
    /// Recomputed by a quorum.
    Settled {
        /// Whose receipts opened.
        checkers: Vec<AccountId>,
        /// Who disputed it.
        wrong: Vec<AccountId>,
        /// Whose receipts did not open: a missed duty.
        missed: Vec<AccountId>,
    },
    /// A quorum computed the same other trace.
    Refused {
        /// Who agreed to what is refused. Without S its receipt proves nothing: a missed duty.
        missed: Vec<AccountId>,
    },
    /// Neither.
    Unresolved,
}

/// Why an event changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimRefusal {
    /// The committee is not drawn yet.
    NotDrawn,
    /// The committee is drawn already.
    Drawn,
    /// This account is not asked.
    NotAsked,
    /// It has answered.
    AnsweredAlready,
    /// This is not S.
    WrongSecret,
    /// The receipts that this S opens are no quorum.
    NoQuorum,
    /// There is nobody who could check.
    NoCheckers,
    /// The set is larger than [`MAX_MEMBERS`].
    TooManyMembers,
}

/// Whether `part` is more than two thirds of `total`.
pub fn is_quorum(part: Balance, total: Balance) -> bool {
    // 3 part > 2 total, without the product: floor(2 total / 3) = total - ceil(total / 3).
    part > total.saturating_sub(total.div_ceil(3))
}

impl<AccountId: Clone + PartialEq + Encode> Claim<AccountId> {
    /// A claim of `executor` under its bond, before `others` with theirs. `seed` begins the draw, to which
    /// `blocks` later blocks add. A committee that would be everybody anyway need not be drawn.
    ///
    /// Errors: nobody else has a bond, or too many have.
    pub fn new(
        executor: AccountId,
        executor_bond: Balance,
        digest: ClaimDigest,
        others: Vec<(AccountId, Balance)>,
        rule: CommitteeRule,
        seed: H256,
        blocks: u32,
    ) -> Result<Self, ClaimRefusal> {
        let mut voters = Vec::with_capacity(others.len());
        for (account, bond) in others {
            if bond > 0 && account != executor {
                voters.push(Voter {
                    account,
                    bond,
                    asked: false,
                    answer: None,
                });
            }
        }
        if voters.is_empty() {
            return Err(ClaimRefusal::NoCheckers);
        }
        let phase = match rule {
            CommitteeRule::Everyone => Phase::Widened,
            CommitteeRule::Drawn { size: 0 } => return Err(ClaimRefusal::NoCheckers),
            CommitteeRule::Drawn { size } if size as usize >= voters.len() => Phase::Checking,
            CommitteeRule::Drawn { size } => Phase::Drawing {
                seed,
                left: blocks.max(1),
                size,
            },
        };
        let mut claim = Self {
            executor,
            executor_bond,
            digest,
            phase,
            voters: voters.try_into().map_err(|_| ClaimRefusal::TooManyMembers)?,
        };
        if claim.is_asking() {
            claim.ask(|_| true);
        }
        Ok(claim)
    }

    /// What a report must name, so that it speaks about this claim and no other on the same job.
    pub fn id(&self) -> H256 {
        (b"agorai/claim/1", &self.executor, &self.digest)
            .using_encoded(blake2_256)
            .into()
    }

    /// Whether members are asked for answers now.
    pub fn is_asking(&self) -> bool {
        !matches!(self.phase, Phase::Drawing { .. })
    }

    /// Whether `account` owes an answer.
    pub fn owes(&self, account: &AccountId) -> bool {
        self.silent().any(|silent| silent == account)
    }

    /// Who is asked and has not answered.
    pub fn silent(&self) -> impl Iterator<Item = &AccountId> {
        self.asked()
            .filter(|voter| voter.answer.is_none())
            .map(|voter| &voter.account)
    }

    /// Who is asked.
    pub fn asked(&self) -> impl Iterator<Item = &Voter<AccountId>> {
        self.voters.iter().filter(|voter| voter.asked)
    }

    /// Moves on. After an error nothing has changed.
    pub fn step(&mut self, event: ClaimInput<AccountId>) -> Result<Transition<AccountId>, ClaimRefusal> {
        match event {
            ClaimInput::Randomness(value) => self.mix(value),
            ClaimInput::Answered { member, answer } => self.answer(member, answer),
            ClaimInput::Opened { job, secret } => self.open(job, secret),
            ClaimInput::Deadline if !self.is_asking() => Err(ClaimRefusal::NotDrawn),
            ClaimInput::Deadline if self.phase == Phase::Checking => Ok(self.widen()),
            ClaimInput::Deadline => Ok(Transition::Ended(Outcome::Unresolved)),
        }
    }

    fn mix(&mut self, value: H256) -> Result<Transition<AccountId>, ClaimRefusal> {
        let Phase::Drawing { seed, left, size } = &mut self.phase else {
            return Err(ClaimRefusal::Drawn);
        };
        *seed = draw::mix(seed, &value);
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Ok(Transition::Stay);
        }
        let bonds: Vec<_> = self.voters.iter().map(|voter| voter.bond).collect();
        let places = draw::draw(seed, &bonds, *size as usize);
        self.phase = Phase::Checking;
        self.ask(|place| places.contains(&place));
        Ok(Transition::Drawn)
    }

    fn ask(&mut self, whom: impl Fn(usize) -> bool) {
        for (place, voter) in self.voters.iter_mut().enumerate() {
            voter.asked |= whom(place);
        }
    }

    fn answer(&mut self, member: &AccountId, answer: Answer) -> Result<Transition<AccountId>, ClaimRefusal> {
        if !self.is_asking() {
            return Err(ClaimRefusal::NotDrawn);
        }
        let voter = self
            .voters
            .iter_mut()
            .find(|voter| voter.asked && voter.account == *member)
            .ok_or(ClaimRefusal::NotAsked)?;
        if voter.answer.is_some() {
            return Err(ClaimRefusal::AnsweredAlready);
        }
        voter.answer = Some(answer);
        Ok(match self.phase {
            Phase::Widened => self.outcome().map_or(Transition::Stay, Transition::Ended),
            _ if self.must_widen() => self.widen(),
            _ => Transition::Stay,
        })
    }

    /// A committee has the last word only where nobody in it disputes and a quorum can still agree.
    fn must_widen(&self) -> bool {
        let disputed = self
            .asked()
            .any(|voter| matches!(voter.answer, Some(Answer::Differ { .. })));
        disputed || !is_quorum(self.may_agree(), self.total())
    }

    fn widen(&mut self) -> Transition<AccountId> {
        self.phase = Phase::Widened;
        self.ask(|_| true);
        self.outcome().map_or(Transition::Widened, Transition::Ended)
    }

    /// How a widened claim ends without an opening, if it does.
    fn outcome(&self) -> Option<Outcome<AccountId>> {
        let total = self.total();
        let disputed = self.strongest_dispute();
        if is_quorum(disputed, total) {
            let missed = self.accounts(|voter| matches!(voter.answer, Some(Answer::Agree(_))));
            return Some(Outcome::Refused { missed });
        }
        let open = self.weight(|voter| voter.answer.is_none());
        let possible = is_quorum(self.may_agree(), total) || is_quorum(disputed.saturating_add(open), total);
        (!possible).then_some(Outcome::Unresolved)
    }

    fn open(&mut self, job: &JobId, secret: &H256) -> Result<Transition<AccountId>, ClaimRefusal> {
        if !self.is_asking() {
            return Err(ClaimRefusal::NotDrawn);
        }
        if secret_hash(secret) != self.digest.secret_hash {
            return Err(ClaimRefusal::WrongSecret);
        }
        let opens =
            |voter: &Voter<AccountId>| voter.answer == Some(Answer::Agree(receipt(&voter.account, job, secret)));
        let agreed = self.weight(opens);
        // The executor's word alone, however large its bond, is no check.
        if agreed == 0 || !is_quorum(agreed.saturating_add(self.own()), self.total()) {
            return Err(ClaimRefusal::NoQuorum);
        }
        Ok(Transition::Ended(Outcome::Settled {
            checkers: self.accounts(opens),
            wrong: self.accounts(|voter| matches!(voter.answer, Some(Answer::Differ { .. }))),
            missed: self.accounts(|voter| matches!(voter.answer, Some(Answer::Agree(_))) && !opens(voter)),
        }))
    }

    /// The executor's weight for its own claim: none in a drawn committee.
    fn own(&self) -> Balance {
        match self.phase {
            Phase::Widened => self.executor_bond,
            _ => 0,
        }
    }

    fn total(&self) -> Balance {
        self.own().saturating_add(self.weight(|_| true))
    }

    /// The most that can still stand for the claim.
    fn may_agree(&self) -> Balance {
        let others = self.weight(|voter| matches!(voter.answer, None | Some(Answer::Agree(_))));
        self.own().saturating_add(others)
    }

    /// The weight behind the alternative that has the most.
    fn strongest_dispute(&self) -> Balance {
        self.asked()
            .filter(|voter| matches!(voter.answer, Some(Answer::Differ { .. })))
            .map(|voter| self.weight(|other| other.answer == voter.answer))
            .max()
            .unwrap_or(0)
    }

    fn weight(&self, which: impl Fn(&Voter<AccountId>) -> bool) -> Balance {
        self.asked()
            .filter(|voter| which(voter))
            .fold(0, |sum: Balance, voter| sum.saturating_add(voter.bond))
    }

    fn accounts(&self, which: impl Fn(&Voter<AccountId>) -> bool) -> Vec<AccountId> {
        self.asked()
            .filter(|voter| which(voter))
            .map(|voter| voter.account.clone())
            .collect()
    }
}
