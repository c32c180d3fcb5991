// SPDX-License-Identifier: Apache-2.0
//! The invariants of the storage of this pallet after every block.

use crate::{Bonds, Config, HoldReason, Members, Pallet};
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - The amount held on an account for its bond is the total of its bond.
    /// - No unbonding part is empty, and the parts are in the order of their sessions.
    /// - There are at most [`Config::MaxBonds`] bonds, and the counter is correct.
    /// - No account is a member twice.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let reason = HoldReason::Bond.into();
        let mut count = 0u32;
        for (who, bond) in Bonds::<T>::iter() {
            count = count.saturating_add(1);
            let held = <T as Config>::Currency::balance_on_hold(&reason, &who);
            ensure!(held == bond.total(), "the amount on hold is not the bond");
            ensure!(
                bond.unbonding.iter().all(|part| part.amount > 0),
                "an unbonding part is empty"
            );
            ensure!(
                bond.unbonding.windows(2).all(|pair| pair[0].free_at < pair[1].free_at),
                "unbonding parts are out of order"
            );
        }
        ensure!(count == Bonds::<T>::count(), "the counter of the bonds is wrong");
        ensure!(count <= T::MaxBonds::get(), "too many bonds");
        let members = Members::<T>::get();
        let mut accounts: alloc::vec::Vec<_> = members.iter().map(|member| &member.account).collect();
        accounts.sort();
        ensure!(
            accounts.windows(2).all(|pair| pair[0] != pair[1]),
            "an account is a member twice"
        );
        Ok(())
    }
}
