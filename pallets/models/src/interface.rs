// SPDX-License-Identifier: Apache-2.0
//! How the other pallets see models.

use crate::{
    types::{ModelRecord, ModelStatus, PromotionRule, Source, VersionRecord, VersionStatus},
    Config, Error, Event, Ledgers, Models, Pallet, Versions, LOG_TARGET,
};
use agorai_primitives::{
    traits::{ModelRegistry, ModelVersion, TrainingOrigin},
    Balance, BlobId, DatasetId, ModelId, VersionIndex,
};
use alloc::vec::Vec;
use frame_support::{ensure, traits::Get};
use sp_runtime::{DispatchError, DispatchResult};

/// Most versions between a candidate and the live one that the promotion rule looks back over.
const MAX_LOOK_BACK: u32 = 64;

impl<T: Config> Pallet<T> {
    fn served(
        model: ModelId,
        record: ModelRecord<T::AccountId>,
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

    /// Whether the held-out loss fell between the live version and `version`, in the sum over the
    /// rounds in between: a round that made it a little worse must not keep all later ones back.
    fn loss_fell(model: ModelId, live: VersionIndex, version: VersionIndex) -> bool {
        let (mut at, mut gain) = (version, 0i128);
        for _ in 0..MAX_LOOK_BACK {
            if at == live {
                return gain > 0;
            }
            let Some(Source::Round {
                parent,
                loss_before,
                loss_after,
                ..
            }) = Versions::<T>::get(model, at).map(|record| record.source)
            else {
                return false;
            };
            let step = i128::from(loss_before).saturating_sub(i128::from(loss_after));
            gain = gain.saturating_add(step);
            at = parent;
        }
        false
    }
}

impl<T: Config> ModelRegistry<T::AccountId> for Pallet<T> {
    fn live(model: ModelId) -> Result<ModelVersion<T::AccountId>, DispatchError> {
        let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
        ensure!(record.status == ModelStatus::Served, Error::<T>::ModelRetired);
        let live = record.live;
        Self::served(model, record, live)
    }

    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<T::AccountId>, DispatchError> {
        let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
        Self::served(model, record, version)
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
            let candidate = VersionStatus::Candidate;
            Self::go_live(model, record, version, candidate, Error::<T>::NotCandidate)?;
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
            // Needs more income than tokens can exist.
            Err(error) => log::error!(target: LOG_TARGET, "income of model {model}: {error:?}"),
        }
    }
}
