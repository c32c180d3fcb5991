// SPDX-License-Identifier: Apache-2.0
//! # Datasets
//!
//! The registry of training data: manifests, shards, versions, licences, access terms and contributors. The data
//! itself is stored off the chain as blobs; the chain stores the blobs' hashes and a Merkle root over them.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | manifest | a Croissant 1.1 description of a dataset; only its hash is on the chain |
//! | shard | one blob of the dataset, with its length in bytes |
//! | root | the Merkle root over the shards in order, computed by this pallet |
//! | parent | the dataset of which this one is a newer version |
//! | contributor | an account with a weight in the data's part of inference fees |
//! | withdrawn | not available for new training; the record remains |
//!
//! ## Calls
//!
//! | call | origin | effect |
//! |---|---|---|
//! | `publish` | any signed account that can pay the deposit | registers a dataset |
//! | `withdraw` | the dataset's owner | makes the dataset unavailable for new training |
//!
//! ## Assumptions
//!
//! - Records are permanent because the lineage of models refers to them. Hence the deposit, which is proportional to
//!   the record's encoded length, is never released, and a withdrawal removes nothing.
//! - Any account may name any available dataset as a parent. A parent is a statement about content and grants no
//!   rights.
//! - The chain does not verify that the shards exist or have the stated lengths. Nodes verify both when they fetch
//!   the blobs.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod dataset;
pub mod licence;
pub mod shards;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use weights::WeightInfo;

#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{traits::DatasetRegistry, Balance, BlobId, DatasetId, Shard};
    use alloc::{vec, vec::Vec};
    use dataset::{all_distinct, AccessTerms, Contributors, DatasetRecord, DatasetStatus};
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            Contains,
        },
    };
    use frame_system::pallet_prelude::*;
    use licence::{is_spdx_expression, Licence};
    use pallet_support::name::{is_printable, Name};
    use shards::{root, total_bytes, Shards};
    use sp_core::H256;
    use sp_runtime::SaturatedConversion;

    /// [`Contributors`] with the runtime's account type.
    pub type ContributorsOf<T> = Contributors<<T as frame_system::Config>::AccountId>;
    /// [`DatasetRecord`] with the runtime's account type.
    pub type RecordOf<T> = DatasetRecord<<T as frame_system::Config>::AccountId>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The native token.
        type Currency: Inspect<Self::AccountId, Balance = Balance>
            + MutateHold<Self::AccountId, Reason: From<HoldReason>>;

        /// The deposit for each byte of an encoded record, in plancks.
        #[pallet::constant]
        type DepositPerByte: Get<Balance>;

        /// Maximum total length of the shards of one dataset, in bytes.
        #[pallet::constant]
        type MaxBytes: Get<u64>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The reasons for which the pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The deposit for dataset records.
        #[codec(index = 0)]
        Record,
    }

    /// All published datasets. Entries are never removed.
    #[pallet::storage]
    pub type Datasets<T: Config> = StorageMap<_, Twox64Concat, DatasetId, RecordOf<T>, OptionQuery>;

    /// The id of the next dataset.
    #[pallet::storage]
    pub type NextDataset<T: Config> = StorageValue<_, DatasetId, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A dataset was published.
        Published {
            /// The dataset.
            dataset: DatasetId,
            /// The account that published it.
            owner: T::AccountId,
            /// Merkle root over its shards.
            root: H256,
            /// Total length of its shards, in bytes.
            bytes: u64,
        },
        /// A dataset was withdrawn: it is not available for new training.
        Withdrawn {
            /// The dataset.
            dataset: DatasetId,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The name is empty.
        NameIsEmpty,
        /// The name is not UTF-8 or contains control characters.
        NameNotPrintable,
        /// The hash of the manifest is zero.
        ManifestHashIsZero,
        /// The licence is not an SPDX expression: letters, digits and `-.+:()` with single spaces.
        LicenceNotSpdx,
        /// The list of shards is empty.
        NoShards,
        /// A shard has a length of zero bytes.
        ShardIsEmpty,
        /// The hash of a shard is zero.
        ShardHashIsZero,
        /// The list of shards contains the same blob twice.
        DuplicateShard,
        /// The total length of the shards exceeds `MaxBytes`.
        DatasetTooLarge,
        /// The list of contributors contains the same account twice.
        DuplicateContributor,
        /// The weight of a contributor is zero.
        ContributorWeightIsZero,
        /// No dataset has this id.
        UnknownDataset,
        /// No dataset has the parent's id.
        UnknownParent,
        /// The parent is withdrawn.
        ParentWithdrawn,
        /// The caller is not the owner of the dataset.
        NotOwner,
        /// The dataset is withdrawn.
        DatasetWithdrawn,
        /// All dataset ids are in use.
        TooManyDatasets,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxBytes::get() > 0,
                "MaxBytes is zero: every dataset would be refused"
            );
            assert!(
                T::DepositPerByte::get() > 0,
                "DepositPerByte is zero: records would be free"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Publishes a dataset, or a newer version of `parent`.
        ///
        /// Origin: any signed account. Holds [`Config::DepositPerByte`] for each byte of the encoded record. If
        /// `contributors` is empty, the caller becomes the only contributor. Emits [`Event::Published`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::publish(
            shards.len().saturated_into(),
            contributors.len().saturated_into(),
        ))]
        #[allow(clippy::too_many_arguments)]
        pub fn publish(
            origin: OriginFor<T>,
            name: Name,
            parent: Option<DatasetId>,
            manifest: BlobId,
            licence: Licence,
            shards: Shards,
            contributors: ContributorsOf<T>,
            access: AccessTerms,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            ensure!(!name.is_empty(), Error::<T>::NameIsEmpty);
            ensure!(is_printable(&name), Error::<T>::NameNotPrintable);
            ensure!(manifest != BlobId::default(), Error::<T>::ManifestHashIsZero);
            ensure!(is_spdx_expression(&licence), Error::<T>::LicenceNotSpdx);
            let bytes = Self::check_shards(&shards)?;
            let contributors = Self::check_contributors(&owner, contributors)?;
            if let Some(parent) = parent {
                let parent = Datasets::<T>::get(parent).ok_or(Error::<T>::UnknownParent)?;
                ensure!(parent.status == DatasetStatus::InUse, Error::<T>::ParentWithdrawn);
            }

            let dataset = NextDataset::<T>::get();
            let next = dataset.checked_add(1).ok_or(Error::<T>::TooManyDatasets)?;
            let root = root(&shards);
            let mut record = DatasetRecord {
                owner: owner.clone(),
                name,
                parent,
                manifest,
                licence,
                root,
                bytes,
                shards,
                contributors,
                access,
                status: DatasetStatus::InUse,
                deposit: 0,
            };
            let record_bytes: Balance = record.encoded_size().saturated_into();
            record.deposit = T::DepositPerByte::get().saturating_mul(record_bytes);
            T::Currency::hold(&HoldReason::Record.into(), &owner, record.deposit)?;
            Datasets::<T>::insert(dataset, record);
            NextDataset::<T>::put(next);
            Self::deposit_event(Event::Published {
                dataset,
                owner,
                root,
                bytes,
            });
            Ok(())
        }

        /// Makes a dataset unavailable for new training. Models trained on it keep their lineage, and its contributors
        /// keep their part of those models' fees.
        ///
        /// Origin: the dataset's owner. The deposit is not released. Emits [`Event::Withdrawn`].
        #[pallet::call_index(1)]
        pub fn withdraw(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let mut record = Datasets::<T>::get(dataset).ok_or(Error::<T>::UnknownDataset)?;
            ensure!(record.owner == who, Error::<T>::NotOwner);
            ensure!(record.status == DatasetStatus::InUse, Error::<T>::DatasetWithdrawn);
            record.status = DatasetStatus::Withdrawn;
            Datasets::<T>::insert(dataset, record);
            Self::deposit_event(Event::Withdrawn { dataset });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Validates the shards of a new dataset and returns their total length in bytes.
        fn check_shards(shards: &[Shard]) -> Result<u64, DispatchError> {
            ensure!(!shards.is_empty(), Error::<T>::NoShards);
            ensure!(shards.iter().all(|shard| shard.bytes > 0), Error::<T>::ShardIsEmpty);
            let blobs: Vec<_> = shards.iter().map(|shard| shard.blob).collect();
            ensure!(!blobs.contains(&BlobId::default()), Error::<T>::ShardHashIsZero);
            ensure!(all_distinct(blobs), Error::<T>::DuplicateShard);
            total_bytes(shards)
                .filter(|bytes| *bytes <= T::MaxBytes::get())
                .ok_or_else(|| Error::<T>::DatasetTooLarge.into())
        }

        /// Validates the contributors of a new dataset; an empty list becomes `owner` alone.
        fn check_contributors(
            owner: &T::AccountId,
            mut contributors: ContributorsOf<T>,
        ) -> Result<ContributorsOf<T>, DispatchError> {
            ensure!(
                contributors.iter().all(|(_, weight)| *weight > 0),
                Error::<T>::ContributorWeightIsZero
            );
            let accounts: Vec<_> = contributors.iter().map(|(who, _)| who.clone()).collect();
            ensure!(all_distinct(accounts), Error::<T>::DuplicateContributor);
            if contributors.is_empty() {
                contributors = BoundedVec::truncate_from(vec![(owner.clone(), 1)]);
            }
            Ok(contributors)
        }
    }

    impl<T: Config> DatasetRegistry<T::AccountId> for Pallet<T> {
        fn usable_shards(dataset: DatasetId) -> Result<Vec<Shard>, DispatchError> {
            let record = Datasets::<T>::get(dataset).ok_or(Error::<T>::UnknownDataset)?;
            ensure!(record.status == DatasetStatus::InUse, Error::<T>::DatasetWithdrawn);
            Ok(record.shards.into_inner())
        }

        fn contributors(dataset: DatasetId) -> Vec<(T::AccountId, u32)> {
            Datasets::<T>::get(dataset)
                .map(|record| record.contributors.into_inner())
                .unwrap_or_default()
        }
    }

    /// Whether the access terms of a dataset permit an account to train on it.
    impl<T: Config> Contains<(DatasetId, T::AccountId)> for Pallet<T> {
        fn contains((dataset, who): &(DatasetId, T::AccountId)) -> bool {
            Datasets::<T>::get(dataset).is_some_and(|record| match record.access {
                AccessTerms::Open => true,
                AccessTerms::OwnerOnly => record.owner == *who,
            })
        }
    }
}
