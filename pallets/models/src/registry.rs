// SPDX-License-Identifier: Apache-2.0
//! The interface of this pallet to the pallets that serve and train models.

use crate::{
    model::{ModelStatus, PromotionRule},
    version::{Source, VersionRecord, VersionStatus},
    Config, Error, Event, Ledgers, Models, Pallet, RecordOf, Versions, LOG_TARGET,
};
use agorai_primitives::{
    traits::{ModelRegistry, ModelVersion, TrainingOrigin},
    Balance, BlobId, DatasetId, ModelId, VersionIndex,
};
use alloc::vec::Vec;
use frame_support::{ensure, traits::Get};
use sp_runtime::{DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
    /// One version of a model, as other pallets use it.
    fn describe_version(
        model: ModelId,
        record: RecordOf<T>,
        version: VersionIndex,
    ) -> Result<ModelVersion<T::AccountId>, DispatchError> {
        let weights = Versions::<T>::get(model, version)
            .ok_or(Error::<T>::UnknownVersion)?
            .weights;
        Ok(ModelVersion {
            owner: record.owner,
            architecture: record.architecture,
            version,
            weights,
            price: record.price,
        })
    }
}

impl<T: Config> ModelRegistry<T::AccountId> for Pallet<T> {
    fn live(model: ModelId) -> Result<ModelVersion<T::AccountId>, DispatchError> {
        let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
        ensure!(record.status == ModelStatus::Served, Error::<T>::ModelRetired);
        let live = record.live;
        Self::describe_version(model, record, live)
    }

    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<T::AccountId>, DispatchError> {
        let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
        Self::describe_version(model, record, version)
    }

    fn add_trained(model: ModelId, weights: BlobId, origin: TrainingOrigin) -> Result<VersionIndex, DispatchError> {
        let mut record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
        ensure!(record.status == ModelStatus::Served, Error::<T>::ModelRetired);
        ensure!(weights != BlobId::default(), Error::<T>::WeightsHashIsZero);
        ensure!(record.versions < T::MaxVersions::get(), Error::<T>::TooManyVersions);
        let parent = Versions::<T>::get(model, origin.parent).ok_or(Error::<T>::UnknownVersion)?;
        let mut datasets = parent.datasets;
        for dataset in origin.datasets {
            if !datasets.contains(&dataset) {
                datasets.try_push(dataset).map_err(|_| Error::<T>::LineageTooLong)?;
            }
        }

        let version = record.versions;
        let TrainingOrigin {
            parent,
            plan,
            round,
            loss_before,
            loss_after,
            ..
        } = origin;
        let source = Source::Round {
            parent,
            plan,
            round,
            loss_before,
            loss_after,
        };
        Versions::<T>::insert(
            model,
            version,
            VersionRecord {
                weights,
                source,
                datasets,
                status: VersionStatus::Candidate,
            },
        );
        record.versions = version.saturating_add(1);
        let (live, rule) = (record.live, record.promotion);
        Models::<T>::insert(model, &record);
        Self::deposit_event(Event::VersionAdded {
            model,
            version,
            weights,
            loss_before,
            loss_after,
        });
        if rule == PromotionRule::IfLossFell && Self::loss_fell(model, live, version) {
            let expected = VersionStatus::Candidate;
            Self::set_live(model, record, version, expected, Error::<T>::NotCandidate)?;
            Self::deposit_event(Event::Promoted {
                model,
                version,
                weights,
            });
        }
        Ok(version)
    }

    fn lineage_datasets(model: ModelId, version: VersionIndex) -> Vec<DatasetId> {
        Versions::<T>::get(model, version)
            .map(|record| record.datasets.into_inner())
            .unwrap_or_default()
    }

    fn issue_shares(model: ModelId, to: &T::AccountId, amount: Balance) -> DispatchResult {
        ensure!(Models::<T>::contains_key(model), Error::<T>::UnknownModel);
        if amount == 0 {
            return Ok(());
        }
        Self::do_issue(model, to, amount)
    }

    fn pot(model: ModelId) -> T::AccountId {
        Self::pot_of(model)
    }

    fn note_income(model: ModelId, amount: Balance) {
        if amount == 0 || !Models::<T>::contains_key(model) {
            return;
        }
        let noted = Ledgers::<T>::mutate(model, |ledger| ledger.accrue(amount));
        match noted {
            Ok(()) => Self::deposit_event(Event::IncomeNoted { model, amount }),
            // Only if the income of all time exceeds 128 bits of plancks, which is more than can exist.
            Err(error) => log::error!(target: LOG_TARGET, "cannot credit the income of model {model}: {error:?}"),
        }
    }
}
