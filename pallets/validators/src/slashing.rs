// SPDX-License-Identifier: Apache-2.0
//! Slashing: for consensus offences, reported by `pallet-offences`, and for jobs.

use crate::{
    types::{excess, Cause},
    Bonds, Config, Event, HoldReason, Pallet, Punished,
};
use agorai_primitives::{Balance, SessionIndex};
use frame_support::{
    pallet_prelude::Weight,
    traits::{fungible::BalancedHold, Get, Imbalance, OnUnbalanced},
};
use pallet_session::historical::IdentificationTuple;
use sp_runtime::Perbill;
use sp_staking::offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler};

impl<T: Config> Pallet<T> {
    /// Takes `fraction` of everything that `who` still has at stake and hands it to
    /// [`Config::Slashed`]; returns the amount. Chills `who`: it is out of the next choice and at once
    /// no longer eligible for jobs.
    ///
    /// Emits `Slashed` and `Chilled`. An account without a bond has nothing to lose.
    pub(crate) fn take(who: &T::AccountId, fraction: Perbill, cause: Cause) -> Balance {
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
            // Bonds of that time may have left: whoever is still here must not pay alone.
            return T::DbWeight::get().reads(1);
        }
        for (details, due) in offenders.iter().zip(fractions) {
            let who = &details.offender.0;
            let done = Punished::<T>::get(session, who);
            if done.is_some_and(|done| *due <= done) {
                continue;
            }
            Punished::<T>::insert(session, who, due);
            let part = excess(done.unwrap_or_default(), *due);
            Self::take(who, part, Cause::Offence { session });
            pallet_session::Pallet::<T>::report_offence(who.clone(), OffenceSeverity(*due));
        }
        T::DbWeight::get()
            .reads_writes(6, 6)
            .saturating_mul(offenders.len() as u64)
    }
}
