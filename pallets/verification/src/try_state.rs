// SPDX-License-Identifier: Apache-2.0
//! The invariants of the storage of this pallet after every block.

use crate::{claim::Phase, Claims, Config, Due, Pallet};
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - There are at most [`Config::MaxOpenClaims`] claims, and the counter is correct.
    /// - Each claim is due exactly once, in the block that it names, and not in the past.
    /// - An account appears once in a claim, as the executor or as a voter.
    /// - Only assigned members have answered. In a widened claim every member is assigned.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut count = 0u32;
        for (job, open) in Claims::<T>::iter() {
            count = count.saturating_add(1);
            ensure!(
                open.due > frame_system::Pallet::<T>::block_number(),
                "a claim is due in the past"
            );
            let times = Due::<T>::get(open.due).iter().filter(|due| **due == job).count();
            ensure!(times == 1, "a claim is not due once in the block that it names");
            let claim = &open.claim;
            let mut accounts = alloc::vec![&claim.executor];
            for voter in &claim.voters {
                ensure!(
                    !accounts.contains(&&voter.account),
                    "an account appears twice in a claim"
                );
                accounts.push(&voter.account);
                ensure!(
                    voter.assigned || voter.answer.is_none(),
                    "a member answered without being assigned"
                );
                ensure!(
                    voter.assigned || claim.phase != Phase::Widened,
                    "a member of a widened claim is not assigned"
                );
            }
        }
        ensure!(count == Claims::<T>::count(), "the counter of the claims is wrong");
        ensure!(count <= T::MaxOpenClaims::get(), "too many claims");
        let due: usize = Due::<T>::iter_values().map(|jobs| jobs.len()).sum();
        ensure!(due == count as usize, "a job is due without a claim");
        Ok(())
    }
}
