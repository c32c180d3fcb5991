// SPDX-License-Identifier: Apache-2.0
//! The members that are eligible for jobs, as the job pallets see them.

use crate::{Bonds, Config, Members, Pallet, SessionMemberOf};
use agorai_primitives::{
    traits::{Member, SessionMembers},
    SessionIndex,
};
use alloc::vec::Vec;
use frame_support::traits::Get;

impl<T: Config> Pallet<T> {
    /// Returns the member if its bond is a candidate's.
    fn eligible(member: &SessionMemberOf<T>) -> Option<Member<T::AccountId>> {
        let bond = Bonds::<T>::get(&member.account)?;
        bond.is_candidate(T::MinBond::get()).then(|| Member {
            account: member.account.clone(),
            key: member.key.clone(),
            bond: bond.active,
        })
    }
}

impl<T: Config> SessionMembers<T::AccountId> for Pallet<T> {
    fn session() -> SessionIndex {
        Pallet::<T>::session()
    }

    fn members() -> Vec<Member<T::AccountId>> {
        Members::<T>::get().iter().filter_map(Self::eligible).collect()
    }

    fn member(account: &T::AccountId) -> Option<Member<T::AccountId>> {
        let members = Members::<T>::get();
        Self::eligible(members.iter().find(|member| member.account == *account)?)
    }
}
