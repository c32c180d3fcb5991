// SPDX-License-Identifier: Apache-2.0
//! The state machine of a claim: [`Claim::step`] maps an input to a [`Transition`] or a [`ClaimRefusal`]. It has no
//! access to storage or block numbers.
//!
//! ```text
//! Drawing --randomness of k blocks--> Checking --quorum revealed--> settled
//!                                        |
//!                                        | a dispute, a quorum out of reach, or the deadline
//!                                        v
//! Everyone ---------------------------> Widened --quorum revealed--> settled
//!                                        | more than 2/3 computed the same other trace --> refused
//!                                        | both out of reach, or the deadline          --> unresolved
//! ```
//!
//! A drawn committee settles a claim only if none of its members disputes it. Every other outcome, and therefore
//! every slash, requires more than 2/3 of the bond of the whole set: a draw that selects many dishonest members
//! cannot cause an honest executor or an honest checker to be slashed.

use agorai_primitives::{
    draw,
    job::JobFailure,
    receipt::{receipt, secret_commitment, ClaimDigest},
    traits::CommitteeRule,
    Balance, JobId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec, PalletError};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Maximum number of members of the set of a claim, without the executor.
pub const MAX_MEMBERS: u32 = 128;

/// The answer of a member to a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Answer {
    /// The member computed the claimed trace: its receipt `H(account || job || trace secret)`.
    Agree(H256),
    /// The member computed another trace. Both hashes are zero if the job cannot yield the claimed output.
    Differ {
        /// Hash of the output.
        result: H256,
        /// Merkle root of the trace.
        root: H256,
    },
    /// The member could not compute the job. Never slashed.
    Unable(JobFailure),
}

/// A member of the set of a claim, other than the executor.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Voter<AccountId> {
    /// Account of the member.
    pub account: AccountId,
    /// Bond of the member when the claim was made, in the smallest unit: its weight.
    pub bond: Balance,
    /// Whether the member must check the claim: it was drawn, or the claim was widened.
    pub assigned: bool,
    /// Its answer, once it has given one.
    pub answer: Option<Answer>,
}

/// The phase of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Phase {
    /// The claim waits for the randomness of later blocks.
    Drawing {
        /// Hash of the randomness so far.
        seed: H256,
        /// Number of blocks whose randomness is missing.
        blocks_left: u32,
        /// Number of members to draw.
        size: u32,
    },
    /// A drawn committee checks the claim.
    Checking,
    /// The whole set checks the claim. The executor's bond counts as agreement.
    Widened,
}

/// An open claim. The set and its bonds are fixed when the claim is made.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Claim<AccountId> {
    /// The account that made the claim.
    pub executor: AccountId,
    /// Bond of the executor when it made the claim, in the smallest unit.
    pub executor_bond: Balance,
    /// The claimed result.
    pub digest: ClaimDigest,
    /// The phase of the claim.
    pub phase: Phase,
    /// The other members of the set.
    pub voters: BoundedVec<Voter<AccountId>, ConstU32<MAX_MEMBERS>>,
}

/// An input of the state machine.
#[derive(Clone, Debug)]
pub enum ClaimInput<'a, AccountId> {
    /// The randomness of another block.
    Randomness(H256),
    /// The answer of a member.
    Answered {
        /// Account of the member.
        member: &'a AccountId,
        /// Its answer.
        answer: Answer,
    },
    /// The trace secret.
    Revealed {
        /// The job of the claim.
        job: &'a JobId,
        /// The trace secret.
        secret: &'a H256,
    },
    /// The deadline of the phase has expired.
    DeadlineExpired,
}

/// The effect of an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transition<AccountId> {
    /// The claim stays in its phase.
    Unchanged,
    /// The committee is drawn and its deadline starts.
    Drawn,
    /// The claim is widened to the whole set and a new deadline starts.
    Widened,
    /// The claim has ended.
    Ended(Outcome<AccountId>),
}

/// How a claim ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<AccountId> {
    /// A quorum computed the claimed trace.
    Settled {
        /// Members whose receipts verified.
        checkers: Vec<AccountId>,
        /// Members that disputed the claim.
        disputers: Vec<AccountId>,
        /// Members whose receipts did not verify: a missed duty.
        missed: Vec<AccountId>,
    },
    /// A quorum computed the same other trace.
    Refused {
        /// Members that agreed to the refused claim. Without the trace secret their receipts prove nothing: a
        /// missed duty.
        missed: Vec<AccountId>,
    },
    /// No quorum for any trace.
    Unresolved,
}

/// Why a claim does not accept an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, PalletError)]
#[scale_info(capture_docs = "always")]
pub enum ClaimRefusal {
    /// The committee of the claim is not drawn yet.
    NotDrawn,
    /// The committee of the claim is already drawn.
    AlreadyDrawn,
    /// The member is not assigned to check the claim.
    NotAssigned,
    /// The member has already answered.
    AlreadyAnswered,
    /// The secret does not match the commitment of the claim.
    WrongSecret,
    /// The receipts that verify under the secret are no quorum.
    NoQuorum,
    /// No other member has a bond, so the claim cannot be checked.
    NoCheckers,
    /// The session has more members than a claim can hold.
    TooManyMembers,
}

/// Whether `part` is more than two thirds of `total`.
pub fn is_quorum(part: Balance, total: Balance) -> bool {
    // 3 part > 2 total, without the product: floor(2 total / 3) = total - ceil(total / 3).
    part > total.saturating_sub(total.div_ceil(3))
}

impl<AccountId: Clone + PartialEq + Encode> Claim<AccountId> {
    /// Returns a claim of `executor` with the set `others` (accounts and bonds). `seed` starts the draw, to which
    /// `blocks` later blocks contribute. If the committee would contain every other member, it is not drawn.
    ///
    /// Errors: `NoCheckers` if no other member has a bond or the committee is empty, `TooManyMembers`.
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
                    assigned: false,
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
                blocks_left: blocks.max(1),
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
        if claim.accepts_answers() {
            claim.assign(|_| true);
        }
        Ok(claim)
    }

    /// The identifier that a report names, so that it counts for this claim and no other on the same job.
    pub fn id(&self) -> H256 {
        (b"agorai/claim/1", &self.executor, &self.digest)
            .using_encoded(blake2_256)
            .into()
    }

    /// Whether the committee is known and members can answer.
    pub fn accepts_answers(&self) -> bool {
        !matches!(self.phase, Phase::Drawing { .. })
    }

    /// Whether `account` is assigned and has not answered.
    pub fn must_answer(&self, account: &AccountId) -> bool {
        self.unanswered().any(|member| member == account)
    }

    /// The assigned members that have not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = &AccountId> {
        self.assigned()
            .filter(|voter| voter.answer.is_none())
            .map(|voter| &voter.account)
    }

    /// The assigned members.
    pub fn assigned(&self) -> impl Iterator<Item = &Voter<AccountId>> {
        self.voters.iter().filter(|voter| voter.assigned)
    }

    /// Applies an input. After an error the claim is unchanged.
    pub fn step(&mut self, input: ClaimInput<AccountId>) -> Result<Transition<AccountId>, ClaimRefusal> {
        match input {
            ClaimInput::Randomness(value) => self.add_randomness(value),
            ClaimInput::Answered { member, answer } => self.answer(member, answer),
            ClaimInput::Revealed { job, secret } => self.reveal(job, secret),
            ClaimInput::DeadlineExpired if !self.accepts_answers() => Err(ClaimRefusal::NotDrawn),
            ClaimInput::DeadlineExpired if self.phase == Phase::Checking => Ok(self.widen()),
            ClaimInput::DeadlineExpired => Ok(Transition::Ended(Outcome::Unresolved)),
        }
    }

    fn add_randomness(&mut self, value: H256) -> Result<Transition<AccountId>, ClaimRefusal> {
        let Phase::Drawing {
            seed,
            blocks_left,
            size,
        } = &mut self.phase
        else {
            return Err(ClaimRefusal::AlreadyDrawn);
        };
        *seed = draw::mix(seed, &value);
        *blocks_left = blocks_left.saturating_sub(1);
        if *blocks_left > 0 {
            return Ok(Transition::Unchanged);
        }
        let bonds: Vec<_> = self.voters.iter().map(|voter| voter.bond).collect();
        let drawn = draw::draw(seed, &bonds, *size as usize);
        self.phase = Phase::Checking;
        self.assign(|index| drawn.contains(&index));
        Ok(Transition::Drawn)
    }

    fn assign(&mut self, select: impl Fn(usize) -> bool) {
        for (index, voter) in self.voters.iter_mut().enumerate() {
            voter.assigned |= select(index);
        }
    }

    fn answer(&mut self, member: &AccountId, answer: Answer) -> Result<Transition<AccountId>, ClaimRefusal> {
        if !self.accepts_answers() {
            return Err(ClaimRefusal::NotDrawn);
        }
        let voter = self
            .voters
            .iter_mut()
            .find(|voter| voter.assigned && voter.account == *member)
            .ok_or(ClaimRefusal::NotAssigned)?;
        if voter.answer.is_some() {
            return Err(ClaimRefusal::AlreadyAnswered);
        }
        voter.answer = Some(answer);
        Ok(match self.phase {
            Phase::Widened => self.outcome().map_or(Transition::Unchanged, Transition::Ended),
            _ if self.must_widen() => self.widen(),
            _ => Transition::Unchanged,
        })
    }

    /// Whether the drawn committee can no longer settle the claim: a member disputes, or a quorum is out of reach.
    fn must_widen(&self) -> bool {
        let disputed = self
            .assigned()
            .any(|voter| matches!(voter.answer, Some(Answer::Differ { .. })));
        disputed || !is_quorum(self.max_agreeing_weight(), self.total_weight())
    }

    fn widen(&mut self) -> Transition<AccountId> {
        self.phase = Phase::Widened;
        self.assign(|_| true);
        self.outcome().map_or(Transition::Widened, Transition::Ended)
    }

    /// The outcome of a widened claim that follows without the trace secret, if any.
    fn outcome(&self) -> Option<Outcome<AccountId>> {
        let total = self.total_weight();
        let disputing = self.max_disputing_weight();
        if is_quorum(disputing, total) {
            let missed = self.accounts(|voter| matches!(voter.answer, Some(Answer::Agree(_))));
            return Some(Outcome::Refused { missed });
        }
        let unanswered = self.weight(|voter| voter.answer.is_none());
        let possible =
            is_quorum(self.max_agreeing_weight(), total) || is_quorum(disputing.saturating_add(unanswered), total);
        (!possible).then_some(Outcome::Unresolved)
    }

    fn reveal(&mut self, job: &JobId, secret: &H256) -> Result<Transition<AccountId>, ClaimRefusal> {
        if !self.accepts_answers() {
            return Err(ClaimRefusal::NotDrawn);
        }
        if secret_commitment(secret) != self.digest.secret_commitment {
            return Err(ClaimRefusal::WrongSecret);
        }
        let verifies =
            |voter: &Voter<AccountId>| voter.answer == Some(Answer::Agree(receipt(&voter.account, job, secret)));
        let agreed = self.weight(verifies);
        // At least one receipt of another member is required, however large the executor's bond.
        if agreed == 0 || !is_quorum(agreed.saturating_add(self.executor_weight()), self.total_weight()) {
            return Err(ClaimRefusal::NoQuorum);
        }
        Ok(Transition::Ended(Outcome::Settled {
            checkers: self.accounts(verifies),
            disputers: self.accounts(|voter| matches!(voter.answer, Some(Answer::Differ { .. }))),
            missed: self.accounts(|voter| matches!(voter.answer, Some(Answer::Agree(_))) && !verifies(voter)),
        }))
    }

    /// The executor's weight in favour of its claim: its bond in a widened claim, else 0.
    fn executor_weight(&self) -> Balance {
        match self.phase {
            Phase::Widened => self.executor_bond,
            _ => 0,
        }
    }

    fn total_weight(&self) -> Balance {
        self.executor_weight().saturating_add(self.weight(|_| true))
    }

    /// Upper bound of the weight that can still agree to the claim.
    fn max_agreeing_weight(&self) -> Balance {
        let others = self.weight(|voter| matches!(voter.answer, None | Some(Answer::Agree(_))));
        self.executor_weight().saturating_add(others)
    }

    /// The largest weight behind one other trace.
    fn max_disputing_weight(&self) -> Balance {
        self.assigned()
            .filter(|voter| matches!(voter.answer, Some(Answer::Differ { .. })))
            .map(|voter| self.weight(|other| other.answer == voter.answer))
            .max()
            .unwrap_or(0)
    }

    /// Sum of the bonds of the assigned members that match `select`.
    fn weight(&self, select: impl Fn(&Voter<AccountId>) -> bool) -> Balance {
        self.assigned()
            .filter(|voter| select(voter))
            .fold(0, |sum: Balance, voter| sum.saturating_add(voter.bond))
    }

    /// Accounts of the assigned members that match `select`.
    fn accounts(&self, select: impl Fn(&Voter<AccountId>) -> bool) -> Vec<AccountId> {
        self.assigned()
            .filter(|voter| select(voter))
            .map(|voter| voter.account.clone())
            .collect()
    }
}
