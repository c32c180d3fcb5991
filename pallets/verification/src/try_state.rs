// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{claim::Phase, Claims, Config, Due, Pallet};
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - There are at most [`Config::MaxOpenClaims`] claims, and the counter is right.
    /// - Each is due exactly once, where it says, and not in the past.
    /// - Nobody has a voice on its own claim or two voices on one.
    /// - Who has answered was asked; who is asked in a widened claim is everybody.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut count = 0u32;
        for (job, open) in Claims::<T>::iter() {
            count = count.saturating_add(1);
            ensure!(
                open.due > frame_system::Pallet::<T>::block_number(),
                "a claim is overdue"
            );
            let times = Due::<T>::get(open.due).iter().filter(|due| **due == job).count();
            ensure!(times == 1, "a claim is not due once where it says");
            let claim = &open.claim;
            let mut accounts = alloc::vec![&claim.executor];
            for voter in &claim.voters {
                ensure!(!accounts.contains(&&voter.account), "two voices of one account");
                accounts.push(&voter.account);
                ensure!(voter.asked || voter.answer.is_none(), "an answer of one not asked");
                ensure!(voter.asked || claim.phase != Phase::Widened, "someone is not asked");
            }
        }
        ensure!(count == Claims::<T>::count(), "claims are miscounted");
        ensure!(count <= T::MaxOpenClaims::get(), "too many claims");
        let due: usize = Due::<T>::iter_values().map(|jobs| jobs.len()).sum();
        ensure!(due == count as usize, "something is due for no claim");
        Ok(())
    }
}
