// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{
    shares::FRACTION_BITS, types::VersionStatus, Config, HoldReason, Ledgers, Models, NextModel, Pallet, Registered,
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
    /// - Indices are below the next one; versions are counted, and exactly the live one is `Live`.
    /// - Every model is registered once.
    /// - Holders, shares and what they are owed add up, and the pot can pay all of it.
    /// - What is held on an owner is the sum of the deposits of its records.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut deposits: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let mut models = 0usize;
        for (model, record) in Models::<T>::iter() {
            models = models.saturating_add(1);
            ensure!(model < NextModel::<T>::get(), "an index was not given out");
            let mut versions = 0u32;
            for (version, other) in Versions::<T>::iter_prefix(model) {
                versions = versions.saturating_add(1);
                ensure!(version < record.versions, "a version's index was not given out");
                let live = other.status == VersionStatus::Live;
                ensure!(live == (version == record.live), "the live version is another");
            }
            ensure!(versions == record.versions, "versions are miscounted");
            let sum = deposits.entry(record.owner).or_default();
            *sum = sum.saturating_add(record.deposit);

            let ledger = Ledgers::<T>::get(model);
            let (mut holders, mut shares, mut owed) = (0u32, 0 as Balance, ledger.carry());
            for (_, holding) in Shares::<T>::iter_prefix(model) {
                holders = holders.saturating_add(1);
                ensure!(!holding.is_empty(), "an empty holding is kept");
                shares = shares.saturating_add(holding.shares);
                owed = owed.saturating_add(ledger.owed(&holding));
            }
            ensure!(holders == ledger.holders, "holders are miscounted");
            ensure!(holders <= T::MaxHolders::get(), "too many holders");
            ensure!(shares == ledger.issued, "shares are miscounted");
            let left = ledger.income.saturating_sub(ledger.collected);
            ensure!(owed == U256::from(left) << FRACTION_BITS, "income is miscounted");
            let needs = left.saturating_add(T::Currency::minimum_balance());
            ensure!(T::Currency::balance(&Self::pot_of(model)) >= needs, "a pot cannot pay");
        }
        ensure!(Registered::<T>::iter().count() == models, "a model is not registered");
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
