// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps about a validator, and the arithmetic on it. Knows no storage.

use agorai_primitives::{traits::Fault, Balance, CommitteeId, SessionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::Get, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;
use sp_runtime::{Perbill, SaturatedConversion, Saturating};

/// Whether a bonded account may be in the set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum BondStatus {
    /// It may be chosen for a session and drawn for jobs.
    Candidate,
    /// It left, or was put, aside: not chosen, not drawn. It may rejoin from session `until` on.
    Chilled {
        /// First session in which it may rejoin.
        until: SessionIndex,
    },
}

/// A part of a bond on its way out. It stays slashable until `free_at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Unbonding {
    /// How much, in the smallest unit.
    pub amount: Balance,
    /// First session in which it may be withdrawn.
    pub free_at: SessionIndex,
}

/// What one account has at stake.
#[derive(
    CloneNoBound,
    PartialEqNoBound,
    EqNoBound,
    DebugNoBound,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[scale_info(skip_type_params(MaxUnbonding))]
pub struct Bond<MaxUnbonding: Get<u32>> {
    /// What counts for the set and for jobs.
    pub active: Balance,
    /// What is on its way out, oldest first.
    pub unbonding: BoundedVec<Unbonding, MaxUnbonding>,
    /// Whether the account may be in the set.
    pub status: BondStatus,
}

impl<MaxUnbonding: Get<u32>> Bond<MaxUnbonding> {
    /// A new bond of a candidate.
    pub fn new(active: Balance) -> Self {
        Self {
            active,
            unbonding: BoundedVec::new(),
            status: BondStatus::Candidate,
        }
    }

    /// Everything that can be slashed: equals what is held on the account.
    pub fn total(&self) -> Balance {
        self.unbonding
            .iter()
            .fold(self.active, |sum, part| sum.saturating_add(part.amount))
    }

    /// Whether the account may be chosen and drawn, given the least bond.
    pub fn is_candidate(&self, min_bond: Balance) -> bool {
        self.status == BondStatus::Candidate && self.active >= min_bond
    }

    /// Whether nothing remains that is worth keeping at session `now`. A pending chill is kept, so that
    /// nobody escapes it by leaving and bonding anew.
    pub fn is_spent(&self, now: SessionIndex) -> bool {
        let free = match self.status {
            BondStatus::Candidate => true,
            BondStatus::Chilled { until } => until <= now,
        };
        free && self.total() == 0
    }

    /// Removes the parts that are free at session `now` and returns their sum.
    pub fn take_free(&mut self, now: SessionIndex) -> Balance {
        let mut free: Balance = 0;
        self.unbonding.retain(|part| {
            let keep = part.free_at > now;
            if !keep {
                free = free.saturating_add(part.amount);
            }
            keep
        });
        free
    }

    /// Takes `fraction` off the active bond and off every part on its way out, rounding down each,
    /// and returns the sum taken.
    pub fn slash(&mut self, fraction: Perbill) -> Balance {
        let cut = fraction * self.active;
        self.active = self.active.saturating_sub(cut);
        let mut sum = cut;
        for part in self.unbonding.iter_mut() {
            let cut = fraction * part.amount;
            part.amount = part.amount.saturating_sub(cut);
            sum = sum.saturating_add(cut);
        }
        self.unbonding.retain(|part| part.amount > 0);
        sum
    }

    /// Puts the account aside until session `until`, never for a shorter time than before.
    pub fn chill(&mut self, until: SessionIndex) {
        let until = match self.status {
            BondStatus::Candidate => until,
            BondStatus::Chilled { until: before } => before.max(until),
        };
        self.status = BondStatus::Chilled { until };
    }
}

/// One validator of the current session.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Member<AccountId> {
    /// Who it is.
    pub account: AccountId,
    /// The key with which it signs job messages in this session.
    pub key: CommitteeId,
}

/// Why a bond was slashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Cause {
    /// A consensus offence, such as an equivocation, in the session.
    Offence {
        /// When it happened.
        session: SessionIndex,
    },
    /// A fault in a job.
    Job {
        /// What was done wrong.
        fault: Fault,
    },
}

/// The accounts of the next set: the `most` largest bonds among `candidates`, ties broken by account.
///
/// The result is in account order, so that a bond that grows without changing who is in the set
/// changes nothing for consensus.
pub fn choose<AccountId: Ord + Clone>(
    mut candidates: alloc::vec::Vec<(AccountId, Balance)>,
    most: u32,
) -> alloc::vec::Vec<AccountId> {
    candidates.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    candidates.truncate(most.saturated_into());
    let mut set: alloc::vec::Vec<_> = candidates.into_iter().map(|(account, _)| account).collect();
    set.sort();
    set
}

/// What is still to be taken of the remaining bond, when `done` of the bond was taken for an offence
/// that now turns out to deserve `due` in all: `(due - done) / (1 - done)`.
pub fn excess(done: Perbill, due: Perbill) -> Perbill {
    let more = due.saturating_sub(done);
    let rest = Perbill::one().saturating_sub(done);
    if more.is_zero() {
        Perbill::zero()
    } else {
        Perbill::from_rational(more.deconstruct(), rest.deconstruct())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_support::traits::ConstU32;
    use proptest::prelude::*;

    type TestBond = Bond<ConstU32<4>>;

    fn bond(active: Balance, parts: &[(Balance, SessionIndex)]) -> TestBond {
        let unbonding = parts.iter().map(|&(amount, free_at)| Unbonding { amount, free_at });
        Bond {
            active,
            unbonding: unbonding.collect::<alloc::vec::Vec<_>>().try_into().unwrap(),
            status: BondStatus::Candidate,
        }
    }

    #[test]
    fn free_parts_are_taken_when_their_session_has_come() {
        let mut bond = bond(5, &[(10, 3), (20, 4), (40, 5)]);
        assert_eq!(bond.take_free(4), 30);
        assert_eq!(bond.total(), 45);
        assert_eq!(bond.take_free(4), 0);
    }

    #[test]
    fn chill_is_never_shortened() {
        let mut bond = bond(5, &[]);
        bond.chill(9);
        bond.chill(3);
        assert_eq!(bond.status, BondStatus::Chilled { until: 9 });
    }

    #[test]
    fn set_holds_the_largest_bonds_in_account_order() {
        assert_eq!(choose(alloc::vec![(1, 5), (2, 9), (3, 7), (4, 7)], 3), [2, 3, 4]);
        assert_eq!(choose(alloc::vec![(4, 7), (3, 7), (1, 7)], 2), [1, 3]);
        assert_eq!(choose(alloc::vec::Vec::<(u8, _)>::new(), 2), [0u8; 0]);
    }

    proptest! {
        #[test]
        fn slash_takes_exactly_what_the_bond_loses(
            active in 0u128..1 << 100,
            parts in prop::collection::vec((1u128..1 << 100, any::<u32>()), 0..=4),
            fraction in 0u32..=1_000_000_000,
        ) {
            let mut bond = bond(active, &parts);
            let before = bond.total();
            let taken = bond.slash(Perbill::from_parts(fraction));
            prop_assert_eq!(bond.total() + taken, before);
            if fraction == 1_000_000_000 {
                prop_assert_eq!(bond.total(), 0);
            }
        }

        #[test]
        fn excess_completes_an_earlier_slash(done in 0u32..=1_000_000_000, due in 0u32..=1_000_000_000) {
            let (done, due) = (Perbill::from_parts(done), Perbill::from_parts(due));
            let bond = 1_000_000_000_000u128;
            let after = bond - done * bond;
            let after = after - excess(done, due) * after;
            let wanted = bond - done.max(due) * bond;
            prop_assert!(after.abs_diff(wanted) <= bond / 500_000_000, "{after} != {wanted}");
        }
    }
}
