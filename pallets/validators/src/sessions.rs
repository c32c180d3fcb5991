// SPDX-License-Identifier: Apache-2.0
//! The validators of each session and their `cmte` keys.

use crate::{Bonds, Config, Members, Pallet, Punished};
use agorai_primitives::{Balance, CommitteeId, SessionIndex};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    traits::{Get, OneSessionHandler},
    BoundedVec,
};
use pallet_session::{historical, NextKeys, QueuedKeys};
use scale_info::TypeInfo;
use sp_runtime::{traits::Convert, BoundToRuntimeAppPublic, SaturatedConversion};

/// Log target of this pallet.
const LOG_TARGET: &str = "runtime::validators";

/// A validator of the current session.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SessionMember<AccountId> {
    /// Account of the validator.
    pub account: AccountId,
    /// The key with which it signs job reports in this session.
    pub key: CommitteeId,
}

/// Returns the accounts with the `max` largest bonds among `candidates`, ties broken by account.
///
/// They are in account order, so that a bond that grows without changing the membership leaves the set unchanged
/// for consensus.
fn select_set<AccountId: Ord + Clone>(mut candidates: Vec<(AccountId, Balance)>, max: u32) -> Vec<AccountId> {
    candidates.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    candidates.truncate(max.saturated_into());
    let mut set: Vec<_> = candidates.into_iter().map(|(account, _)| account).collect();
    set.sort();
    set
}

/// The full identification of a validator in `pallet_session::historical`. It is empty: only the validator's own bond
/// is at stake, and its account identifies it.
pub struct UnitIdentificationOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Convert<T::AccountId, Option<()>> for UnitIdentificationOf<T> {
    fn convert(_: T::AccountId) -> Option<()> {
        Some(())
    }
}

impl<T: Config> Pallet<T> {
    /// Returns the set of the session after the next, or `None` if the current set continues: nothing changes, or
    /// there is no candidate.
    fn next_set() -> Option<Vec<T::AccountId>> {
        let min_bond = T::MinBond::get();
        let candidates = Bonds::<T>::iter()
            .filter(|(who, bond)| bond.is_candidate(min_bond) && NextKeys::<T>::contains_key(who))
            .map(|(who, bond)| (who, bond.active))
            .collect();
        let next = select_set(candidates, T::MaxValidators::get());
        if next.is_empty() {
            log::error!(target: LOG_TARGET, "no candidate has session keys: the set does not change");
            return None;
        }
        // A changed key counts as a change: the historical root covers the keys.
        let queued = QueuedKeys::<T>::get();
        let same = queued.len() == next.len()
            && queued
                .iter()
                .zip(&next)
                .all(|((who, keys), selected)| who == selected && NextKeys::<T>::get(selected).as_ref() == Some(keys));
        (!same).then_some(next)
    }

    /// Removes what no report of an offence can refer to any more.
    fn prune(start: SessionIndex) {
        let Some(last) = start.checked_sub(T::ReportingSessions::get().saturating_add(1)) else {
            return;
        };
        historical::Pallet::<T>::prune_up_to(last.saturating_add(1));
        // A session has at most `MaxValidators` offenders, and every session start removes one session.
        let _ = Punished::<T>::clear_prefix(last, T::MaxValidators::get(), None);
    }
}

impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
        Self::next_set()
    }

    fn end_session(_: SessionIndex) {}

    fn start_session(start: SessionIndex) {
        Self::prune(start);
    }
}

impl<T: Config> historical::SessionManager<T::AccountId, ()> for Pallet<T> {
    fn new_session(_: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
        Self::next_set().map(|set| set.into_iter().map(|who| (who, ())).collect())
    }

    fn end_session(_: SessionIndex) {}

    fn start_session(start: SessionIndex) {
        Self::prune(start);
    }
}

impl<T: Config> BoundToRuntimeAppPublic for Pallet<T> {
    type Public = CommitteeId;
}

impl<T: Config> OneSessionHandler<T::AccountId> for Pallet<T> {
    type Key = CommitteeId;

    fn on_genesis_session<'a, I>(validators: I)
    where
        I: Iterator<Item = (&'a T::AccountId, CommitteeId)> + 'a,
    {
        Members::<T>::put(members::<T, _>(validators));
    }

    fn on_new_session<'a, I>(_changed: bool, validators: I, _queued: I)
    where
        I: Iterator<Item = (&'a T::AccountId, CommitteeId)> + 'a,
    {
        Members::<T>::put(members::<T, _>(validators));
    }

    fn on_disabled(_: u32) {
        // A slashed validator is chilled and therefore not eligible for jobs.
    }
}

fn members<'a, T: Config, I>(validators: I) -> BoundedVec<SessionMember<T::AccountId>, T::MaxValidators>
where
    I: Iterator<Item = (&'a T::AccountId, CommitteeId)>,
    T::AccountId: 'a,
{
    let members = validators.map(|(account, key)| SessionMember {
        account: account.clone(),
        key,
    });
    // Nothing is truncated: the set is selected with the same limit.
    BoundedVec::truncate_from(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_holds_the_largest_bonds_in_account_order() {
        assert_eq!(select_set(alloc::vec![(1, 5), (2, 9), (3, 7), (4, 7)], 3), [2, 3, 4]);
        assert_eq!(select_set(alloc::vec![(4, 7), (3, 7), (1, 7)], 2), [1, 3]);
        assert_eq!(select_set(Vec::<(u8, _)>::new(), 2), [0u8; 0]);
    }
}
