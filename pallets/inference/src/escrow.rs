// SPDX-License-Identifier: Apache-2.0
//! Pays a fee out of a request's escrow.

use crate::{
    fees::{in_turn, payments, FeeSplit, Parties, Role},
    Config, HoldReason, Pallet, RecordOf, LOG_TARGET,
};
use agorai_primitives::{
    traits::{DatasetRegistry, ModelRegistry},
    Balance, RequestId,
};
use alloc::vec::Vec;
use frame_support::{
    storage::with_storage_layer,
    traits::{
        fungible::MutateHold,
        tokens::{Fortitude, Precision, Restriction},
        Get,
    },
};

impl<T: Config> Pallet<T> {
    /// Pays for `tokens` tokens. Returns what was paid, by role.
    pub(crate) fn pay(
        request: RequestId,
        record: &RecordOf<T>,
        executor: &T::AccountId,
        tokens: u32,
        checkers: Vec<T::AccountId>,
    ) -> FeeSplit {
        let parties = Parties {
            executor: executor.clone(),
            checkers,
            pot: T::Models::pot(record.model),
            datasets: Self::paid_datasets(request, record),
            treasury: T::Treasury::get(),
        };
        let mut split = FeeSplit::default();
        for payment in payments(record.fee(tokens), &T::FeeShares::get(), &parties) {
            let amount = payment.amount;
            if Self::transfer(&record.who, &payment.to, amount) {
                split.add(payment.role, amount);
                if payment.role == Role::Holders {
                    T::Models::note_income(record.model, amount);
                }
            } else if Self::transfer(&record.who, &parties.treasury, amount) {
                split.add(Role::Treasury, amount);
            } else {
                // It stays in the escrow, which is released.
                log::warn!(target: LOG_TARGET, "the treasury cannot take {amount}");
            }
        }
        split
    }

    /// The contributors of each dataset that is paid for this request.
    fn paid_datasets(request: RequestId, record: &RecordOf<T>) -> Vec<Vec<(T::AccountId, u32)>> {
        let lineage = T::Models::lineage_datasets(record.model, record.version);
        in_turn(&lineage, request, T::MaxPaidDatasets::get() as usize)
            .into_iter()
            .map(T::Datasets::contributors)
            .collect()
    }

    /// Whether `amount` has gone out of the escrow of `from` to `to`. Not where it is too little for an
    /// account that does not exist yet.
    fn transfer(from: &T::AccountId, to: &T::AccountId, amount: Balance) -> bool {
        // A freeze for something else must not keep a requester from paying.
        let force = Fortitude::Force;
        let reason = HoldReason::Escrow.into();
        with_storage_layer(|| {
            T::Currency::transfer_on_hold(&reason, from, to, amount, Precision::Exact, Restriction::Free, force)
        })
        .is_ok()
    }
}
