// SPDX-License-Identifier: Apache-2.0
//! Who may do jobs: what the job pallets see of this one.

use crate::{types::Cause, Bonds, Config, Members, Pallet};
use agorai_primitives::{
    traits::{Fault, Member, SessionMembers, Slash},
    Balance, SessionIndex,
};
use alloc::vec::Vec;
use frame_support::traits::Get;
use sp_runtime::Perbill;

impl<T: Config> Pallet<T> {
    /// What a member of the session needs to be drawn: a candidate's bond.
    fn eligible(member: &crate::MemberOf<T>) -> Option<Member<T::AccountId>> {
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

impl<T: Config> Slash<T::AccountId> for Pallet<T> {
    fn slash(who: &T::AccountId, part: Perbill, fault: Fault) -> Balance {
        Self::take(who, part, Cause::Job { fault })
    }
}
