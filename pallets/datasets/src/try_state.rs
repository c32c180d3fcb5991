// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{
    types::{root, total_bytes},
    Config, Datasets, HoldReason, NextDataset, Pallet,
};
use agorai_primitives::Balance;
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - Indices are below the next one, and a parent is older than its child.
    /// - Root and bytes are those of the shards.
    /// - What is held on an owner is the sum of the deposits of its records.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let next = NextDataset::<T>::get();
        let mut deposits: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        for (dataset, record) in Datasets::<T>::iter() {
            ensure!(dataset < next, "an index was not given out");
            ensure!(
                record.parent.is_none_or(|parent| parent < dataset),
                "a parent is younger"
            );
            ensure!(record.root == root(&record.shards), "a root is not its shards'");
            ensure!(
                total_bytes(&record.shards) == Some(record.bytes),
                "bytes are miscounted"
            );
            ensure!(record.bytes <= T::MaxBytes::get(), "a dataset is too large");
            ensure!(!record.contributors.is_empty(), "a dataset has no contributor");
            let sum = deposits.entry(record.owner).or_default();
            *sum = sum.saturating_add(record.deposit);
        }
        let reason = HoldReason::Record.into();
        for (owner, sum) in deposits {
            ensure!(
                T::Currency::balance_on_hold(&reason, &owner) == sum,
                "a deposit is not held"
            );
        }
        Ok(())
    }
}
