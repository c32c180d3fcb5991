// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{Bonds, Config, HoldReason, Members, Pallet};
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - What is held on an account for its bond is its bond.
    /// - No part on its way out is empty, and they are in the order in which they are free.
    /// - There are at most [`Config::MaxBonds`] bonds.
    /// - No account is a member twice.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let reason = HoldReason::Bond.into();
        let mut count = 0u32;
        for (who, bond) in Bonds::<T>::iter() {
            count = count.saturating_add(1);
            let held = <T as Config>::Currency::balance_on_hold(&reason, &who);
            ensure!(held == bond.total(), "a bond is not what is held");
            ensure!(bond.unbonding.iter().all(|part| part.amount > 0), "an empty part");
            ensure!(
                bond.unbonding.windows(2).all(|pair| pair[0].free_at < pair[1].free_at),
                "parts are out of order"
            );
        }
        ensure!(count == Bonds::<T>::count(), "bonds are miscounted");
        ensure!(count <= T::MaxBonds::get(), "too many bonds");
        let members = Members::<T>::get();
        let mut accounts: alloc::vec::Vec<_> = members.iter().map(|member| &member.account).collect();
        accounts.sort();
        ensure!(accounts.windows(2).all(|pair| pair[0] != pair[1]), "a member twice");
        Ok(())
    }
}
