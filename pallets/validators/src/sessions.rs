// SPDX-License-Identifier: Apache-2.0
//! Who validates in which session, and with which `cmte` key.

use crate::{
    types::{choose, Member},
    Bonds, Config, Members, Pallet, Punished, LOG_TARGET,
};
use agorai_primitives::{CommitteeId, SessionIndex};
use alloc::vec::Vec;
use frame_support::{
    traits::{Get, OneSessionHandler},
    BoundedVec,
};
use pallet_session::{historical, NextKeys, QueuedKeys};
use sp_runtime::{traits::Convert, BoundToRuntimeAppPublic};

/// The full identification of a validator for `pallet-session`'s historical part: nothing beyond its
/// account is needed, because only its own bond is at stake.
pub struct UnitIdentificationOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Convert<T::AccountId, Option<()>> for UnitIdentificationOf<T> {
    fn convert(_: T::AccountId) -> Option<()> {
        Some(())
    }
}

impl<T: Config> Pallet<T> {
    /// The set for the session after the next; `None` where the present one stays: when nothing
    /// changes, or when there is no candidate.
    fn next_set() -> Option<Vec<T::AccountId>> {
        let least = T::MinBond::get();
        let candidates = Bonds::<T>::iter()
            .filter(|(who, bond)| bond.is_candidate(least) && NextKeys::<T>::contains_key(who))
            .map(|(who, bond)| (who, bond.active))
            .collect();
        let next = choose(candidates, T::MaxValidators::get());
        if next.is_empty() {
            log::error!(target: LOG_TARGET, "no candidate with session keys: the set stays");
            return None;
        }
        // A changed key counts as a change, because the historical root covers keys.
        let present = QueuedKeys::<T>::get();
        let same = present.len() == next.len()
            && present
                .iter()
                .zip(&next)
                .all(|((who, keys), chosen)| who == chosen && NextKeys::<T>::get(chosen).as_ref() == Some(keys));
        (!same).then_some(next)
    }

    /// Forgets what no report can refer to any more.
    fn prune(start: SessionIndex) {
        let Some(last) = start.checked_sub(T::ReportingSessions::get().saturating_add(1)) else {
            return;
        };
        historical::Pallet::<T>::prune_up_to(last.saturating_add(1));
        // One session's offenders at most; pruned at every session's start.
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
        // Who is slashed is chilled, and so not eligible for jobs: nothing more to do here.
    }
}

fn members<'a, T: Config, I>(validators: I) -> BoundedVec<Member<T::AccountId>, T::MaxValidators>
where
    I: Iterator<Item = (&'a T::AccountId, CommitteeId)>,
    T::AccountId: 'a,
{
    let members = validators.map(|(account, key)| Member {
        account: account.clone(),
        key,
    });
    // Never longer: the set was chosen with the same limit.
    BoundedVec::truncate_from(members.collect())
}
