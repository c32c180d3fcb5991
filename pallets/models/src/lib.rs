// SPDX-License-Identifier: Apache-2.0
//! # Models
//!
//! The registry of models: their versions and lineage, their shares and income.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | weights | one immutable set of tensors, named by its hash |
//! | model | a series of versions with one architecture, one price and one share ledger |
//! | version | weights and their origin: the upload (version 0) or a training round |
//! | candidate | a version that has not been live |
//! | live | the version that is served; a model has exactly one |
//! | former | a version that was live earlier |
//! | lineage | the datasets on which a version or any of its ancestors was trained |
//! | share | a part of a model's income; issued when the model is created and for contributions to its training |
//! | pot | the account that receives a model's income |
//!
//! ## Calls
//!
//! | call | origin | effect |
//! |---|---|---|
//! | `create` | any signed account that can pay the deposit | registers a model; version 0 is live |
//! | `set_price` | the model's owner | changes the price per token |
//! | `promote` | the model's owner | makes a candidate live |
//! | `roll_back` | the model's owner | makes a former version live again |
//! | `retire` | the model's owner | ends service and training of the model permanently |
//! | `transfer_shares` | a holder | transfers shares to another account |
//! | `collect` | a holder | pays the income of the holder's shares from the pot |
//!
//! ## Assumptions
//!
//! - Records are permanent because lineage refers to them. Hence the deposit is never released.
//! - The owner funds the pot with the existential deposit when it creates the model, and the pot never spends it. So
//!   the pot can receive an income of any size and pay out all of it.
//! - A pallet that transfers income to the pot calls `note_income` in the same block.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod holdings;
pub mod model;
mod promotion;
mod registry;
pub mod shares;
pub mod version;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::models";

#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        model::{Architecture, ArchitectureError},
        Balance, BlobId, ModelId, VersionIndex,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, Mutate, MutateHold},
            tokens::Preservation,
        },
        PalletId,
    };
    use frame_system::pallet_prelude::*;
    use model::{is_plausible_length, ModelRecord, ModelStatus, PromotionRule};
    use pallet_support::{
        name::{is_printable, Name},
        Nested,
    };
    use shares::{Holding, Ledger, SharesError};
    use sp_runtime::traits::AccountIdConversion;
    use version::{Lineage, Source, VersionRecord, VersionStatus};

    /// [`ModelRecord`] with the runtime's account type.
    pub type RecordOf<T> = ModelRecord<<T as frame_system::Config>::AccountId>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The native token.
        type Currency: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + MutateHold<Self::AccountId, Reason: From<HoldReason>>;

        /// Seed from which the accounts of the pots are derived.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// The deposit for a model's record, in plancks.
        #[pallet::constant]
        type Deposit: Get<Balance>;

        /// Number of shares issued to the owner of a new model.
        #[pallet::constant]
        type InitialShares: Get<Balance>;

        /// Maximum number of holders of shares of one model.
        #[pallet::constant]
        type MaxHolders: Get<u32>;

        /// Maximum number of versions of one model.
        #[pallet::constant]
        type MaxVersions: Get<u32>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The reasons for which the pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The deposit for model records.
        #[codec(index = 0)]
        Record,
    }

    /// All models. Entries are never removed.
    #[pallet::storage]
    pub type Models<T: Config> = StorageMap<_, Twox64Concat, ModelId, RecordOf<T>, OptionQuery>;

    /// The versions of each model.
    #[pallet::storage]
    pub type Versions<T: Config> =
        StorageDoubleMap<_, Twox64Concat, ModelId, Twox64Concat, VersionIndex, VersionRecord, OptionQuery>;

    /// The model that an owner created from given weights.
    #[pallet::storage]
    pub type Registered<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Blake2_128Concat, BlobId, ModelId, OptionQuery>;

    /// The share ledger of each model.
    #[pallet::storage]
    pub type Ledgers<T: Config> = StorageMap<_, Twox64Concat, ModelId, Ledger, ValueQuery>;

    /// The holders of each model and their holdings.
    #[pallet::storage]
    pub type Shares<T: Config> =
        StorageDoubleMap<_, Twox64Concat, ModelId, Blake2_128Concat, T::AccountId, Holding, ValueQuery>;

    /// The id of the next model.
    #[pallet::storage]
    pub type NextModel<T: Config> = StorageValue<_, ModelId, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A model was created; its version 0 is live.
        Created {
            /// The model.
            model: ModelId,
            /// The account that created it.
            owner: T::AccountId,
            /// The weights of version 0.
            weights: BlobId,
        },
        /// A training round added a version.
        VersionAdded {
            /// The model.
            model: ModelId,
            /// The new version, a candidate.
            version: VersionIndex,
            /// Its weights.
            weights: BlobId,
            /// Held-out loss of its parent, in micro-nats per token.
            loss_before: u64,
            /// Its held-out loss, in micro-nats per token.
            loss_after: u64,
        },
        /// A candidate became live.
        Promoted {
            /// The model.
            model: ModelId,
            /// The version that is live now.
            version: VersionIndex,
            /// Its weights.
            weights: BlobId,
        },
        /// A former version became live again.
        RolledBack {
            /// The model.
            model: ModelId,
            /// The version that is live now.
            version: VersionIndex,
            /// Its weights.
            weights: BlobId,
        },
        /// The price of a model changed.
        PriceSet {
            /// The model.
            model: ModelId,
            /// Price of one token of prompt or answer, in plancks.
            price: Balance,
        },
        /// A model was retired: it is neither served nor trained.
        Retired {
            /// The model.
            model: ModelId,
        },
        /// Shares were issued.
        SharesIssued {
            /// The model.
            model: ModelId,
            /// The account that received them.
            to: T::AccountId,
            /// Number of shares.
            amount: Balance,
        },
        /// Shares were transferred.
        SharesTransferred {
            /// The model.
            model: ModelId,
            /// The account that gave them.
            from: T::AccountId,
            /// The account that received them.
            to: T::AccountId,
            /// Number of shares.
            amount: Balance,
        },
        /// Income of a model was credited to its holders.
        IncomeNoted {
            /// The model.
            model: ModelId,
            /// The income, in plancks.
            amount: Balance,
        },
        /// A holder collected its income from the pot.
        Collected {
            /// The model.
            model: ModelId,
            /// The holder.
            who: T::AccountId,
            /// The amount paid, in plancks.
            amount: Balance,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The name is empty.
        NameIsEmpty,
        /// The name is not UTF-8 or contains control characters.
        NameNotPrintable,
        /// The hash of the weights is zero.
        WeightsHashIsZero,
        /// The length of the weights does not match the architecture's parameters and a header.
        WeightsLengthImplausible,
        /// The caller has already created a model from these weights.
        AlreadyRegistered,
        /// All model ids are in use.
        TooManyModels,
        /// No model has this id.
        UnknownModel,
        /// The model has no version with this index.
        UnknownVersion,
        /// The caller is not the owner of the model.
        NotOwner,
        /// The model is retired.
        ModelRetired,
        /// The version is live or former; a former version can be rolled back to.
        NotCandidate,
        /// The version has not been live, or is live now.
        NotFormer,
        /// The model has `MaxVersions` versions.
        TooManyVersions,
        /// The lineage contains more datasets than a record can hold.
        LineageTooLong,
        /// The amount is zero.
        AmountIsZero,
        /// The sender and the receiver are the same account.
        SameAccount,
        /// The model has `MaxHolders` holders.
        TooManyHolders,
        /// The caller's shares have earned less than one planck since the caller last collected.
        NothingToCollect,
        /// The architecture is invalid.
        Architecture(Nested<ArchitectureError>),
        /// The share ledger refuses the operation.
        Shares(SharesError),
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::InitialShares::get() > 0,
                "InitialShares is zero: income would have no holder"
            );
            assert!(
                T::MaxHolders::get() > 0,
                "MaxHolders is zero: the owner could not hold shares"
            );
            assert!(
                T::MaxVersions::get() > 0,
                "MaxVersions is zero: a model has at least one version"
            );
            assert!(T::Deposit::get() > 0, "Deposit is zero: records would be free");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Creates a model from uploaded weights, which become its live version 0.
        ///
        /// Origin: any signed account, which becomes the owner. Holds [`Config::Deposit`], transfers the existential
        /// deposit to the model's pot, and issues [`Config::InitialShares`] to the owner. `weights_bytes` is the length
        /// of the weights file; `price` is in plancks per token. Emits [`Event::Created`] and [`Event::SharesIssued`].
        #[pallet::call_index(0)]
        pub fn create(
            origin: OriginFor<T>,
            name: Name,
            architecture: Architecture,
            weights: BlobId,
            weights_bytes: u64,
            price: Balance,
            promotion: PromotionRule,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            ensure!(!name.is_empty(), Error::<T>::NameIsEmpty);
            ensure!(is_printable(&name), Error::<T>::NameNotPrintable);
            architecture
                .validate()
                .map_err(|error| Error::<T>::Architecture(Nested(error)))?;
            ensure!(weights != BlobId::default(), Error::<T>::WeightsHashIsZero);
            ensure!(
                is_plausible_length(&architecture, weights_bytes),
                Error::<T>::WeightsLengthImplausible
            );
            ensure!(
                !Registered::<T>::contains_key(&owner, weights),
                Error::<T>::AlreadyRegistered
            );

            let model = NextModel::<T>::get();
            let next = model.checked_add(1).ok_or(Error::<T>::TooManyModels)?;
            let deposit = T::Deposit::get();
            T::Currency::hold(&HoldReason::Record.into(), &owner, deposit)?;
            T::Currency::transfer(
                &owner,
                &Self::pot_of(model),
                T::Currency::minimum_balance(),
                Preservation::Preserve,
            )?;
            let record = ModelRecord {
                owner: owner.clone(),
                name,
                architecture,
                price,
                promotion,
                live: 0,
                versions: 1,
                status: ModelStatus::Served,
                deposit,
            };
            let version = VersionRecord {
                weights,
                source: Source::Upload,
                datasets: Lineage::new(),
                status: VersionStatus::Live,
            };
            Models::<T>::insert(model, record);
            Versions::<T>::insert(model, 0, version);
            Registered::<T>::insert(&owner, weights, model);
            NextModel::<T>::put(next);
            Self::deposit_event(Event::Created {
                model,
                owner: owner.clone(),
                weights,
            });
            Self::do_issue(model, &owner, T::InitialShares::get())
        }

        /// Sets the price of one token of prompt or answer, in plancks. Open requests keep the price at which they were
        /// made.
        ///
        /// Origin: the model's owner. Emits [`Event::PriceSet`].
        #[pallet::call_index(1)]
        pub fn set_price(origin: OriginFor<T>, model: ModelId, price: Balance) -> DispatchResult {
            let mut record = Self::owned(origin, model)?;
            record.price = price;
            Models::<T>::insert(model, record);
            Self::deposit_event(Event::PriceSet { model, price });
            Ok(())
        }

        /// Makes a candidate live; the previous live version becomes former.
        ///
        /// Origin: the model's owner. Emits [`Event::Promoted`].
        #[pallet::call_index(2)]
        pub fn promote(origin: OriginFor<T>, model: ModelId, version: VersionIndex) -> DispatchResult {
            let record = Self::owned(origin, model)?;
            let weights = Self::set_live(
                model,
                record,
                version,
                VersionStatus::Candidate,
                Error::<T>::NotCandidate,
            )?;
            Self::deposit_event(Event::Promoted {
                model,
                version,
                weights,
            });
            Ok(())
        }

        /// Makes a former version live again; the previous live version becomes former.
        ///
        /// Origin: the model's owner. Emits [`Event::RolledBack`].
        #[pallet::call_index(3)]
        pub fn roll_back(origin: OriginFor<T>, model: ModelId, version: VersionIndex) -> DispatchResult {
            let record = Self::owned(origin, model)?;
            let weights = Self::set_live(model, record, version, VersionStatus::Former, Error::<T>::NotFormer)?;
            Self::deposit_event(Event::RolledBack {
                model,
                version,
                weights,
            });
            Ok(())
        }

        /// Ends service and training of a model permanently. Shares and income remain.
        ///
        /// Origin: the model's owner. Emits [`Event::Retired`].
        #[pallet::call_index(4)]
        pub fn retire(origin: OriginFor<T>, model: ModelId) -> DispatchResult {
            let mut record = Self::owned(origin, model)?;
            record.status = ModelStatus::Retired;
            Models::<T>::insert(model, record);
            Self::deposit_event(Event::Retired { model });
            Ok(())
        }

        /// Transfers shares to another account. The caller keeps the income that they have earned so far.
        ///
        /// Origin: a holder. `amount` is a number of shares. Emits [`Event::SharesTransferred`].
        #[pallet::call_index(5)]
        pub fn transfer_shares(
            origin: OriginFor<T>,
            model: ModelId,
            to: T::AccountId,
            amount: Balance,
        ) -> DispatchResult {
            let from = ensure_signed(origin)?;
            ensure!(Models::<T>::contains_key(model), Error::<T>::UnknownModel);
            ensure!(amount > 0, Error::<T>::AmountIsZero);
            ensure!(from != to, Error::<T>::SameAccount);
            let mut ledger = Ledgers::<T>::get(model);
            let mut sender = Shares::<T>::get(model, &from);
            let mut receiver = Shares::<T>::get(model, &to);
            ledger
                .transfer(&mut sender, &mut receiver, amount)
                .map_err(Error::<T>::Shares)?;
            Self::store_holding(model, &mut ledger, &from, sender)?;
            Self::store_holding(model, &mut ledger, &to, receiver)?;
            Ledgers::<T>::insert(model, ledger);
            Self::deposit_event(Event::SharesTransferred {
                model,
                from,
                to,
                amount,
            });
            Ok(())
        }

        /// Pays the income of the caller's shares from the pot.
        ///
        /// Origin: a holder, or an account with income from shares that it has transferred. Emits [`Event::Collected`].
        #[pallet::call_index(6)]
        pub fn collect(origin: OriginFor<T>, model: ModelId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(Models::<T>::contains_key(model), Error::<T>::UnknownModel);
            let mut ledger = Ledgers::<T>::get(model);
            let mut holding = Shares::<T>::get(model, &who);
            let amount = ledger.collect(&mut holding);
            ensure!(amount > 0, Error::<T>::NothingToCollect);
            T::Currency::transfer(&Self::pot_of(model), &who, amount, Preservation::Preserve)?;
            Self::store_holding(model, &mut ledger, &who, holding)?;
            Ledgers::<T>::insert(model, ledger);
            Self::deposit_event(Event::Collected { model, who, amount });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// The account that receives a model's income.
        pub fn pot_of(model: ModelId) -> T::AccountId {
            T::PalletId::get().into_sub_account_truncating(model)
        }

        /// The record of a model that is served and owned by the caller.
        fn owned(origin: OriginFor<T>, model: ModelId) -> Result<RecordOf<T>, DispatchError> {
            let who = ensure_signed(origin)?;
            let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
            ensure!(record.owner == who, Error::<T>::NotOwner);
            ensure!(record.status == ModelStatus::Served, Error::<T>::ModelRetired);
            Ok(record)
        }
    }
}
