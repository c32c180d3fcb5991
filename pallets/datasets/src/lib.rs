// SPDX-License-Identifier: Apache-2.0
//! # Datasets
//!
//! What may be trained on: manifests, shards, versions, licences, access terms and contributors.
//! The bytes themselves are blobs; the chain keeps their names and a root over them.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | manifest | a Croissant 1.1 description; only its hash is on the chain |
//! | shard | content-addressed bytes of the dataset, with their length |
//! | root | Merkle root over the shards in order, computed by the chain |
//! | parent | the dataset of which this one is a newer version |
//! | contributor | an account with a weight in what the content earns |
//! | withdrawn | not to be used for anything new; the record stays |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `publish` | anyone who can pay the deposit | a new dataset |
//! | `withdraw` | its owner | nothing new may use it |
//!
//! ## Assumptions
//!
//! - Records are for ever, because the lineage of models points at them. Hence the deposit (per
//!   byte of the record) is never given back, and withdrawing removes nothing.
//! - Any dataset in use may be named as a parent, whoever owns it: that is a statement about
//!   content, not a right.
//! - That the shards' bytes exist and are as long as it is said is checked by who fetches them.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod types;
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
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            Contains,
        },
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::SaturatedConversion;
    use types::{
        is_licence, is_name, root, total_bytes, without_twins, AccessTerms, DatasetRecord, DatasetStatus, Licence,
        Name, Shards,
    };

    /// Contributors and their weights.
    pub type ContributorsOf<T> = types::Contributors<<T as frame_system::Config>::AccountId>;
    /// The record as this runtime keeps it.
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

        /// Held for every byte of a record.
        #[pallet::constant]
        type DepositPerByte: Get<Balance>;

        /// Most bytes of one dataset, over all its shards.
        #[pallet::constant]
        type MaxBytes: Get<u64>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why the pallet holds tokens.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The deposit for records.
        #[codec(index = 0)]
        Record,
    }

    /// All datasets that were ever published.
    #[pallet::storage]
    pub type Datasets<T: Config> = StorageMap<_, Twox64Concat, DatasetId, RecordOf<T>, OptionQuery>;

    /// The index of the next dataset.
    #[pallet::storage]
    pub type NextDataset<T: Config> = StorageValue<_, DatasetId, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A dataset may be used.
        Published {
            dataset: DatasetId,
            owner: T::AccountId,
            root: H256,
            bytes: u64,
        },
        /// A dataset may not be used for anything new.
        Withdrawn { dataset: DatasetId },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The name is empty.
        NameIsEmpty,
        /// The name is not UTF-8, or holds control characters.
        NameIsNotText,
        /// The manifest's hash is zero.
        ManifestIsZero,
        /// The licence is no SPDX expression: letters, digits and `-.+:()` with single spaces.
        LicenceIsNotSpdx,
        /// There is no shard.
        NoShards,
        /// A shard has no bytes.
        ShardIsEmpty,
        /// A shard's hash is zero.
        ShardHashIsZero,
        /// A shard is named twice.
        ShardTwice,
        /// The shards have more bytes than the chain allows for one dataset.
        DatasetTooLarge,
        /// A contributor is named twice.
        ContributorTwice,
        /// A contributor's weight is zero.
        ContributorWeightIsZero,
        /// No dataset has this index.
        UnknownDataset,
        /// The parent was never published.
        UnknownParent,
        /// The parent is withdrawn.
        ParentWithdrawn,
        /// Only the owner may do this.
        NotOwner,
        /// The dataset is withdrawn.
        DatasetWithdrawn,
        /// There are as many datasets as an index can name.
        TooManyDatasets,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::MaxBytes::get() > 0, "a dataset can have a byte");
            assert!(T::DepositPerByte::get() > 0, "a record costs something");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Publishes a dataset, or with `parent` a newer version of one.
        ///
        /// Any account may call it. Holds [`Config::DepositPerByte`] for every byte of the record.
        /// Without contributors the caller is the only one. Emits `Published`.
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
            ensure!(is_name(&name), Error::<T>::NameIsNotText);
            ensure!(manifest != BlobId::default(), Error::<T>::ManifestIsZero);
            ensure!(is_licence(&licence), Error::<T>::LicenceIsNotSpdx);
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
            let length: Balance = record.encoded_size().saturated_into();
            record.deposit = T::DepositPerByte::get().saturating_mul(length);
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

        /// Forbids new use of a dataset. What was trained on it keeps its lineage, and its
        /// contributors keep their part in it.
        ///
        /// Only the owner may call it, once. Gives nothing back. Emits `Withdrawn`.
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
        fn check_shards(shards: &[Shard]) -> Result<u64, DispatchError> {
            ensure!(!shards.is_empty(), Error::<T>::NoShards);
            ensure!(shards.iter().all(|shard| shard.bytes > 0), Error::<T>::ShardIsEmpty);
            let blobs: Vec<_> = shards.iter().map(|shard| shard.blob).collect();
            ensure!(!blobs.contains(&BlobId::default()), Error::<T>::ShardHashIsZero);
            ensure!(without_twins(blobs), Error::<T>::ShardTwice);
            total_bytes(shards)
                .filter(|bytes| *bytes <= T::MaxBytes::get())
                .ok_or_else(|| Error::<T>::DatasetTooLarge.into())
        }

        fn check_contributors(
            owner: &T::AccountId,
            mut contributors: ContributorsOf<T>,
        ) -> Result<ContributorsOf<T>, DispatchError> {
            ensure!(
                contributors.iter().all(|(_, weight)| *weight > 0),
                Error::<T>::ContributorWeightIsZero
            );
            let accounts: Vec<_> = contributors.iter().map(|(who, _)| who.clone()).collect();
            ensure!(without_twins(accounts), Error::<T>::ContributorTwice);
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

    /// Whether the access terms of a dataset let an account train on it.
    impl<T: Config> Contains<(DatasetId, T::AccountId)> for Pallet<T> {
        fn contains((dataset, who): &(DatasetId, T::AccountId)) -> bool {
            Datasets::<T>::get(dataset).is_some_and(|record| match record.access {
                AccessTerms::Open => true,
                AccessTerms::OwnerOnly => record.owner == *who,
            })
        }
    }
}
