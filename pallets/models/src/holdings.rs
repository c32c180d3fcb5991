// SPDX-License-Identifier: Apache-2.0
//! The holders of a model's shares in storage.

use crate::{
    shares::{Holding, Ledger},
    Config, Error, Event, Ledgers, Pallet, Shares,
};
use agorai_primitives::{Balance, ModelId};
use frame_support::{ensure, traits::Get};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
    /// Issues `amount` new shares of a model to `to` and emits [`Event::SharesIssued`].
    pub(crate) fn do_issue(model: ModelId, to: &T::AccountId, amount: Balance) -> DispatchResult {
        let mut ledger = Ledgers::<T>::get(model);
        let mut holding = Shares::<T>::get(model, to);
        ledger.issue(&mut holding, amount).map_err(Error::<T>::Shares)?;
        Self::store_holding(model, &mut ledger, to, holding)?;
        Ledgers::<T>::insert(model, ledger);
        Self::deposit_event(Event::SharesIssued {
            model,
            to: to.clone(),
            amount,
        });
        Ok(())
    }

    /// Writes a holding, or removes it if it is empty, and updates the ledger's number of holders. The caller writes
    /// the ledger.
    ///
    /// Fails with [`Error::TooManyHolders`] if `who` is a new holder and [`Config::MaxHolders`] is reached.
    pub(crate) fn store_holding(
        model: ModelId,
        ledger: &mut Ledger,
        who: &T::AccountId,
        holding: Holding,
    ) -> DispatchResult {
        match (Shares::<T>::contains_key(model, who), holding.is_empty()) {
            (true, true) => {
                Shares::<T>::remove(model, who);
                ledger.holders = ledger.holders.saturating_sub(1);
            }
            (false, true) => {}
            (known, false) => {
                if !known {
                    ensure!(ledger.holders < T::MaxHolders::get(), Error::<T>::TooManyHolders);
                    ledger.holders = ledger.holders.saturating_add(1);
                }
                Shares::<T>::insert(model, who, holding);
            }
        }
        Ok(())
    }
}
