// SPDX-License-Identifier: Apache-2.0
//! The storage invariants.

use crate::{
    shares::FRACTION_BITS, version::VersionStatus, Config, HoldReason, Ledgers, Models, NextModel, Pallet, Registered,
    Shares, Versions,
};
use agorai_primitives::Balance;
use alloc::collections::BTreeMap;
use frame_support::{
    ensure,
    traits::{
        fungible::{Inspect, InspectHold},
        Get,
    },
};
use sp_core::U256;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks that
    /// - every id is below [`NextModel`], and every model is registered once;
    /// - the number of versions is right, and exactly the live version has the status `Live`;
    /// - the ledger's totals are the sums over its holders, and the pot covers all income not collected;
    /// - the hold on an account is the sum of the deposits of its records.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut deposits: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let mut models = 0usize;
        for (model, record) in Models::<T>::iter() {
            models = models.saturating_add(1);
            ensure!(model < NextModel::<T>::get(), "a model's id is not below the next id");
            let mut versions = 0u32;
            for (version, other) in Versions::<T>::iter_prefix(model) {
                versions = versions.saturating_add(1);
                ensure!(
                    version < record.versions,
                    "a version's index is not below the number of versions"
                );
                let live = other.status == VersionStatus::Live;
                ensure!(
                    live == (version == record.live),
                    "the status of a version contradicts the live version"
                );
            }
            ensure!(versions == record.versions, "the number of versions is wrong");
            let sum = deposits.entry(record.owner).or_default();
            *sum = sum.saturating_add(record.deposit);

            let ledger = Ledgers::<T>::get(model);
            let (mut holders, mut shares, mut owed) = (0u32, 0 as Balance, ledger.carry());
            for (_, holding) in Shares::<T>::iter_prefix(model) {
                holders = holders.saturating_add(1);
                ensure!(!holding.is_empty(), "an empty holding is stored");
                shares = shares.saturating_add(holding.shares);
                owed = owed.saturating_add(ledger.owed(&holding));
            }
            ensure!(holders == ledger.holders, "the number of holders is wrong");
            ensure!(
                holders <= T::MaxHolders::get(),
                "a model exceeds the maximum number of holders"
            );
            ensure!(shares == ledger.issued, "the number of shares is wrong");
            let uncollected = ledger.income.saturating_sub(ledger.collected);
            ensure!(
                owed == U256::from(uncollected) << FRACTION_BITS,
                "the income owed is not the income minus the collections"
            );
            let minimum = uncollected.saturating_add(T::Currency::minimum_balance());
            ensure!(
                T::Currency::balance(&Self::pot_of(model)) >= minimum,
                "a pot does not cover the income owed"
            );
        }
        ensure!(
            Registered::<T>::iter().count() == models,
            "the number of registrations is not the number of models"
        );
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
