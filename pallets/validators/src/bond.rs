// SPDX-License-Identifier: Apache-2.0
//! The bond of an account and the arithmetic on it, without access to storage.

use agorai_primitives::{Balance, SessionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::Get, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;
use sp_runtime::Perbill;

/// Whether an account with a bond can be a validator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum BondStatus {
    /// The account can be selected for the set and drawn for jobs.
    Candidate,
    /// The account is not selected for the set and not drawn for jobs.
    Chilled {
        /// First session in which the account can rejoin.
        until: SessionIndex,
    },
}

/// A part of a bond that is being unbonded. It can be slashed until it is withdrawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Unbonding {
    /// Amount, in the smallest unit.
    pub amount: Balance,
    /// First session in which it can be withdrawn.
    pub free_at: SessionIndex,
}

/// The bond of an account.
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
    /// The active amount, in the smallest unit: the weight of the account in the set and for jobs.
    pub active: Balance,
    /// The unbonding parts, oldest first.
    pub unbonding: BoundedVec<Unbonding, MaxUnbonding>,
    /// Whether the account can be a validator.
    pub status: BondStatus,
}

impl<MaxUnbonding: Get<u32>> Bond<MaxUnbonding> {
    /// Returns a bond of a candidate.
    pub fn new(active: Balance) -> Self {
        Self {
            active,
            unbonding: BoundedVec::new(),
            status: BondStatus::Candidate,
        }
    }

    /// The active amount and all unbonding parts: the amount that is held on the account and can be slashed.
    pub fn total(&self) -> Balance {
        self.unbonding
            .iter()
            .fold(self.active, |sum, part| sum.saturating_add(part.amount))
    }

    /// Whether the account can be selected for the set, for a minimum active amount.
    pub fn is_candidate(&self, min_bond: Balance) -> bool {
        self.status == BondStatus::Candidate && self.active >= min_bond
    }

    /// Whether the bond can be removed in session `now`: it is empty and no chill is pending. A pending chill is kept,
    /// so that an account cannot end it by bonding again.
    pub fn is_removable(&self, now: SessionIndex) -> bool {
        let rejoinable = match self.status {
            BondStatus::Candidate => true,
            BondStatus::Chilled { until } => until <= now,
        };
        rejoinable && self.total() == 0
    }

    /// Removes the parts that can be withdrawn in session `now` and returns their sum.
    pub fn withdraw(&mut self, now: SessionIndex) -> Balance {
        let mut free: Balance = 0;
        self.unbonding.retain(|part| {
            let locked = part.free_at > now;
            if !locked {
                free = free.saturating_add(part.amount);
            }
            locked
        });
        free
    }

    /// Removes `fraction` of the active amount and of each unbonding part, each rounded down, and returns the sum.
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

    /// Chills the account until session `until`, or later if it is already chilled for longer.
    pub fn chill(&mut self, until: SessionIndex) {
        let until = match self.status {
            BondStatus::Candidate => until,
            BondStatus::Chilled { until: before } => before.max(until),
        };
        self.status = BondStatus::Chilled { until };
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
    fn parts_are_withdrawn_from_their_session_on() {
        let mut bond = bond(5, &[(10, 3), (20, 4), (40, 5)]);
        assert_eq!(bond.withdraw(4), 30);
        assert_eq!(bond.total(), 45);
        assert_eq!(bond.withdraw(4), 0);
    }

    #[test]
    fn chill_is_never_shortened() {
        let mut bond = bond(5, &[]);
        bond.chill(9);
        bond.chill(3);
        assert_eq!(bond.status, BondStatus::Chilled { until: 9 });
    }

    proptest! {
        #[test]
        fn slash_returns_the_amount_that_the_bond_loses(
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
    }
}
