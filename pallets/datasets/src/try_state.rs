// SPDX-License-Identifier: Apache-2.0
//! The storage invariants.

use crate::{
    shards::{root, total_bytes},
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
    /// Checks that
    /// - every id is below [`NextDataset`], and a parent's id is below its child's;
    /// - root and length of a record match its shards;
    /// - every record has a contributor;
    /// - the hold on an account is the sum of the deposits of its records.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let next = NextDataset::<T>::get();
        let mut deposits: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        for (dataset, record) in Datasets::<T>::iter() {
            ensure!(dataset < next, "a dataset's id is not below the next id");
            ensure!(
                record.parent.is_none_or(|parent| parent < dataset),
                "a parent's id is not below its child's"
            );
            ensure!(record.root == root(&record.shards), "a root does not match its shards");
            ensure!(
                total_bytes(&record.shards) == Some(record.bytes),
                "a total length does not match its shards"
            );
            ensure!(
                record.bytes <= T::MaxBytes::get(),
                "a dataset exceeds the maximum length"
            );
            ensure!(!record.contributors.is_empty(), "a dataset has no contributors");
            let sum = deposits.entry(record.owner).or_default();
            *sum = sum.saturating_add(record.deposit);
        }
        let reason = HoldReason::Record.into();
        for (owner, sum) in deposits {
            ensure!(
                T::Currency::balance_on_hold(&reason, &owner) == sum,
                "a hold is not the sum of the deposits"
            );
        }
        Ok(())
    }
}
