// SPDX-License-Identifier: Apache-2.0
//! Slashing for consensus offences, which `pallet-offences` reports, and for faults in jobs, which the job pallets
//! report.

use crate::{Bonds, Config, Event, HoldReason, Pallet, Punished};
use agorai_primitives::{
    traits::{Fault, Slash},
    Balance, SessionIndex,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    pallet_prelude::Weight,
    traits::{fungible::BalancedHold, Get, Imbalance, OnUnbalanced},
};
use pallet_session::historical::IdentificationTuple;
use scale_info::TypeInfo;
use sp_runtime::{Perbill, Saturating};
use sp_staking::offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler};

/// Why a bond is slashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum SlashCause {
    /// A consensus offence, such as an equivocation.
    Offence {
        /// The session of the offence.
        session: SessionIndex,
    },
    /// A fault in a job.
    Job {
        /// The fault.
        fault: Fault,
    },
}

/// The fraction of the remaining bond to slash so that `due` of the original bond is slashed in total, if `slashed`
/// of it is already slashed: `(due - slashed) / (1 - slashed)`, or zero if `slashed >= due`.
fn remaining_fraction(slashed: Perbill, due: Perbill) -> Perbill {
    let excess = due.saturating_sub(slashed);
    let remaining = Perbill::one().saturating_sub(slashed);
    if excess.is_zero() {
        Perbill::zero()
    } else {
        Perbill::from_rational(excess.deconstruct(), remaining.deconstruct())
    }
}

impl<T: Config> Pallet<T> {
    /// Slashes `fraction` of the bond of `who`, the unbonding parts included, and chills the account. Returns the
    /// slashed amount, which goes to [`Config::Slashed`]; 0 if the account has no bond.
    ///
    /// Emits `Slashed` and `Chilled`.
    fn slash_bond(who: &T::AccountId, fraction: Perbill, cause: SlashCause) -> Balance {
        let Some(mut bond) = Bonds::<T>::get(who) else {
            return 0;
        };
        let due = bond.slash(fraction);
        let (credit, _) = <T as Config>::Currency::slash(&HoldReason::Bond.into(), who, due);
        let amount = credit.peek();
        T::Slashed::on_unbalanced(credit);
        let until = Self::session().saturating_add(T::ChillSessions::get());
        bond.chill(until);
        let remaining = bond.total();
        Bonds::<T>::insert(who, bond);
        Self::deposit_event(Event::Slashed {
            who: who.clone(),
            amount,
            remaining,
            cause,
        });
        Self::deposit_event(Event::Chilled {
            who: who.clone(),
            until,
        });
        amount
    }
}

impl<T: Config> OnOffenceHandler<T::AccountId, IdentificationTuple<T>, Weight> for Pallet<T> {
    fn on_offence(
        offenders: &[OffenceDetails<T::AccountId, IdentificationTuple<T>>],
        fractions: &[Perbill],
        session: SessionIndex,
    ) -> Weight {
        if session.saturating_add(T::ReportingSessions::get()) < Self::session() {
            // Accounts may have withdrawn their bonds since; those that remain must not pay for all.
            return T::DbWeight::get().reads(1);
        }
        for (details, due) in offenders.iter().zip(fractions) {
            let who = &details.offender.0;
            let slashed = Punished::<T>::get(session, who);
            if slashed.is_some_and(|slashed| *due <= slashed) {
                continue;
            }
            Punished::<T>::insert(session, who, due);
            let fraction = remaining_fraction(slashed.unwrap_or_default(), *due);
            Self::slash_bond(who, fraction, SlashCause::Offence { session });
            pallet_session::Pallet::<T>::report_offence(who.clone(), OffenceSeverity(*due));
        }
        T::DbWeight::get()
            .reads_writes(6, 6)
            .saturating_mul(offenders.len() as u64)
    }
}

impl<T: Config> Slash<T::AccountId> for Pallet<T> {
    fn slash(who: &T::AccountId, fraction: Perbill, fault: Fault) -> Balance {
        Self::slash_bond(who, fraction, SlashCause::Job { fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn remaining_fraction_completes_an_earlier_slash(slashed in 0u32..=1_000_000_000, due in 0u32..=1_000_000_000) {
            let (slashed, due) = (Perbill::from_parts(slashed), Perbill::from_parts(due));
            let bond = 1_000_000_000_000u128;
            let after = bond - slashed * bond;
            let after = after - remaining_fraction(slashed, due) * after;
            let expected = bond - slashed.max(due) * bond;
            prop_assert!(after.abs_diff(expected) <= bond / 500_000_000, "{after} != {expected}");
        }
    }
}
