// SPDX-License-Identifier: Apache-2.0
//! The escrow of a request: fee payments, release and refund.

use crate::{
    fees::{payments, rotate, FeeSplit, Parties, Role},
    request::{Output, RequestStatus},
    Config, Event, HoldReason, Pallet, RecordOf, LOG_TARGET,
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
    /// Pays the fee for a confirmed answer of `tokens` tokens, releases the rest of the escrow, and finishes the
    /// request. Emits [`Event::Settled`].
    pub(crate) fn settle(
        request: RequestId,
        record: RecordOf<T>,
        executor: T::AccountId,
        (output, tokens): (Output, u32),
        checkers: Vec<T::AccountId>,
    ) {
        let receipts = checkers.len() as u32;
        let split = Self::pay_fee(request, &record, &executor, tokens, checkers);
        let fee = split.total();
        Self::release(&record, record.max_fee.saturating_sub(fee));
        let status = RequestStatus::Settled {
            executor: executor.clone(),
            output: output.clone(),
            tokens,
            fee,
            checkers: receipts,
        };
        Self::finish(request, record, status);
        Self::deposit_event(Event::Settled {
            request,
            executor,
            output,
            tokens,
            fee,
            split,
            receipts,
        });
    }

    /// Releases the whole escrow and finishes the request. Emits [`Event::Refunded`].
    pub(crate) fn refund(request: RequestId, record: RecordOf<T>) {
        let amount = Self::release(&record, record.max_fee);
        Self::finish(request, record, RequestStatus::Refunded);
        Self::deposit_event(Event::Refunded { request, amount });
    }

    /// Pays the fee for `tokens` tokens from the escrow. Returns the payments by role.
    fn pay_fee(
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
                // The amount remains in the escrow, which is released.
                log::warn!(target: LOG_TARGET, "the treasury cannot receive {amount} plancks");
            }
        }
        split
    }

    /// The contributors of the datasets that this request pays, with their weights.
    fn paid_datasets(request: RequestId, record: &RecordOf<T>) -> Vec<Vec<(T::AccountId, u32)>> {
        let lineage = T::Models::lineage_datasets(record.model, record.version);
        rotate(&lineage, request, T::MaxPaidDatasets::get() as usize)
            .into_iter()
            .map(T::Datasets::contributors)
            .collect()
    }

    /// Transfers `amount` plancks from the escrow of `from`. Returns whether the transfer succeeded; it fails if `to`
    /// does not exist and the amount is below the existential deposit.
    fn transfer(from: &T::AccountId, to: &T::AccountId, amount: Balance) -> bool {
        // A freeze of the requester's balance must not prevent the payment.
        let force = Fortitude::Force;
        let reason = HoldReason::Escrow.into();
        with_storage_layer(|| {
            T::Currency::transfer_on_hold(&reason, from, to, amount, Precision::Exact, Restriction::Free, force)
        })
        .is_ok()
    }

    /// Releases `amount` plancks of the escrow. Returns the amount released.
    fn release(record: &RecordOf<T>, amount: Balance) -> Balance {
        if amount == 0 {
            return 0;
        }
        let reason = HoldReason::Escrow.into();
        let released = T::Currency::release(&reason, &record.who, amount, Precision::BestEffort);
        // Not reached: only an account that does not exist cannot receive it, and an account with a hold exists.
        released.unwrap_or_else(|error| {
            log::error!(target: LOG_TARGET, "cannot release an escrow: {error:?}");
            0
        })
    }
}
