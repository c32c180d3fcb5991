// SPDX-License-Identifier: Apache-2.0
//! # Models
//!
//! Models, their weights versions and lineage, their shares and revenue.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | weights | one immutable set of tensors, named by its hash |
//! | model | a named series of weights versions with one architecture, price and share ledger |
//! | version | weights and what they come from: the upload (version 0) or a round of training |
//! | candidate | a version that was never live |
//! | live | the version that is served; always exactly one |
//! | former | a version that was live before |
//! | lineage | all datasets that a version, or one before it, has seen |
//! | share | a part in a model's income; made at creation and for work in training |
//! | pot | the account that collects a model's income |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `create` | anyone who can pay the deposit | a model, version 0 live |
//! | `set_price` | its owner | another price per token |
//! | `promote` | its owner | a candidate becomes live |
//! | `roll_back` | its owner | a former version becomes live again |
//! | `retire` | its owner | neither served nor trained any more, for ever |
//! | `transfer_shares` | a holder | shares go to another account |
//! | `collect` | a holder | what its shares have earned is paid out of the pot |
//!
//! ## Assumptions
//!
//! - Records are for ever, because lineage points at them: the deposit is never given back.
//! - The owner pays the existential deposit of the pot when it creates the model, and that stays in
//!   it: so the smallest income reaches the pot, and all of it can be collected.
//! - Who pays into the pot says so by `note_income` in the same call.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod interface;
pub mod shares;
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

/// Target of this pallet's log lines.
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
    use shares::{Holding, Ledger, SharesError};
    use sp_runtime::traits::AccountIdConversion;
    use types::{
        is_name, is_plausible_length, Lineage, ModelRecord, ModelStatus, Name, PromotionRule, Source, VersionRecord,
        VersionStatus,
    };

    /// The record as this runtime keeps it.
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

        /// Of it and a model's index a pot's account is made.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// Held for a model's record.
        #[pallet::constant]
        type Deposit: Get<Balance>;

        /// Shares that the owner gets when it creates a model.
        #[pallet::constant]
        type InitialShares: Get<Balance>;

        /// Most holders of shares of one model.
        #[pallet::constant]
        type MaxHolders: Get<u32>;

        /// Most versions of one model.
        #[pallet::constant]
        type MaxVersions: Get<u32>;

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

    /// All models that were ever created.
    #[pallet::storage]
    pub type Models<T: Config> = StorageMap<_, Twox64Concat, ModelId, RecordOf<T>, OptionQuery>;

    /// The versions of every model.
    #[pallet::storage]
    pub type Versions<T: Config> =
        StorageDoubleMap<_, Twox64Concat, ModelId, Twox64Concat, VersionIndex, VersionRecord, OptionQuery>;

    /// Which model an owner created of which weights.
    #[pallet::storage]
    pub type Registered<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Blake2_128Concat, BlobId, ModelId, OptionQuery>;

    /// The share ledger of every model.
    #[pallet::storage]
    pub type Ledgers<T: Config> = StorageMap<_, Twox64Concat, ModelId, Ledger, ValueQuery>;

    /// Who holds shares of a model.
    #[pallet::storage]
    pub type Shares<T: Config> =
        StorageDoubleMap<_, Twox64Concat, ModelId, Blake2_128Concat, T::AccountId, Holding, ValueQuery>;

    /// The index of the next model.
    #[pallet::storage]
    pub type NextModel<T: Config> = StorageValue<_, ModelId, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A model may be served and trained.
        Created {
            model: ModelId,
            owner: T::AccountId,
            weights: BlobId,
        },
        /// Training has yielded new weights.
        VersionAdded {
            model: ModelId,
            version: VersionIndex,
            weights: BlobId,
            loss_before: u64,
            loss_after: u64,
        },
        /// A version is live.
        Promoted {
            model: ModelId,
            version: VersionIndex,
            weights: BlobId,
        },
        /// A former version is live again.
        RolledBack {
            model: ModelId,
            version: VersionIndex,
            weights: BlobId,
        },
        /// A token costs something else.
        PriceSet { model: ModelId, price: Balance },
        /// A model is neither served nor trained any more.
        Retired { model: ModelId },
        /// New shares were made.
        SharesIssued {
            model: ModelId,
            to: T::AccountId,
            amount: Balance,
        },
        /// Shares went to another account.
        SharesTransferred {
            model: ModelId,
            from: T::AccountId,
            to: T::AccountId,
            amount: Balance,
        },
        /// Income accrues to the holders.
        IncomeNoted { model: ModelId, amount: Balance },
        /// A holder was paid out of the pot.
        Collected {
            model: ModelId,
            who: T::AccountId,
            amount: Balance,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The name is empty.
        NameIsEmpty,
        /// The name is not UTF-8, or holds control characters.
        NameIsNotText,
        /// A size in the architecture is zero.
        ArchitectureSizeIsZero,
        /// A size in the architecture is beyond what this network computes.
        ArchitectureTooLarge,
        /// The number of heads does not divide the width, or a head's width is odd.
        HeadsDoNotDivideDim,
        /// The number of key and value heads does not divide the number of heads.
        KvHeadsDoNotDivideHeads,
        /// The weights' hash is zero.
        WeightsHashIsZero,
        /// So many bytes cannot hold the parameters of this architecture and a header.
        WeightsLengthImplausible,
        /// The owner has created a model of these weights already.
        AlreadyRegistered,
        /// There are as many models as an index can name.
        TooManyModels,
        /// No model has this index.
        UnknownModel,
        /// The model has no such version.
        UnknownVersion,
        /// Only the owner may do this.
        NotOwner,
        /// The model is retired.
        ModelRetired,
        /// The version is not a candidate: it is live, or it was, and may be rolled back to.
        NotCandidate,
        /// The version was not live before.
        NotFormer,
        /// The model has as many versions as the chain allows.
        TooManyVersions,
        /// The lineage names more datasets than a record holds.
        LineageTooLong,
        /// The amount is zero.
        AmountIsZero,
        /// The caller has fewer shares than that.
        TooFewShares,
        /// Giver and receiver are the same account.
        SameAccount,
        /// As many accounts hold shares of the model as the chain allows.
        TooManyHolders,
        /// There would be more shares than the ledger counts.
        TooManyShares,
        /// The caller's shares have not earned a whole unit since it last collected.
        NothingToCollect,
    }

    impl<T> From<ArchitectureError> for Error<T> {
        fn from(error: ArchitectureError) -> Self {
            match error {
                ArchitectureError::Zero => Self::ArchitectureSizeIsZero,
                ArchitectureError::TooLarge => Self::ArchitectureTooLarge,
                ArchitectureError::HeadsDoNotDivideDim => Self::HeadsDoNotDivideDim,
                ArchitectureError::KvHeadsDoNotDivideHeads => Self::KvHeadsDoNotDivideHeads,
            }
        }
    }

    impl<T> From<SharesError> for Error<T> {
        fn from(error: SharesError) -> Self {
            match error {
                SharesError::TooFewShares => Self::TooFewShares,
                SharesError::Overflow => Self::TooManyShares,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::InitialShares::get() > 0, "income needs someone who owns it");
            assert!(T::MaxHolders::get() > 0, "the owner is a holder");
            assert!(T::MaxVersions::get() > 0, "the upload is a version");
            assert!(T::Deposit::get() > 0, "a record costs something");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Creates a model of uploaded weights: version 0, live at once.
        ///
        /// Any account may call it. Holds [`Config::Deposit`], pays the existential deposit into the
        /// model's pot, and gets [`Config::InitialShares`]. Emits `Created` and `SharesIssued`.
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
            ensure!(is_name(&name), Error::<T>::NameIsNotText);
            architecture.validate().map_err(Error::<T>::from)?;
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

        /// Sets the price of a token of prompt or answer, for requests from now on.
        ///
        /// Only the owner may call it. Emits `PriceSet`.
        #[pallet::call_index(1)]
        pub fn set_price(origin: OriginFor<T>, model: ModelId, price: Balance) -> DispatchResult {
            let mut record = Self::owned(origin, model)?;
            record.price = price;
            Models::<T>::insert(model, record);
            Self::deposit_event(Event::PriceSet { model, price });
            Ok(())
        }

        /// Makes a candidate the live version.
        ///
        /// Only the owner may call it. Emits `Promoted`.
        #[pallet::call_index(2)]
        pub fn promote(origin: OriginFor<T>, model: ModelId, version: VersionIndex) -> DispatchResult {
            let record = Self::owned(origin, model)?;
            let weights = Self::go_live(
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

        /// Makes a version live that was live before.
        ///
        /// Only the owner may call it. Emits `RolledBack`.
        #[pallet::call_index(3)]
        pub fn roll_back(origin: OriginFor<T>, model: ModelId, version: VersionIndex) -> DispatchResult {
            let record = Self::owned(origin, model)?;
            let weights = Self::go_live(model, record, version, VersionStatus::Former, Error::<T>::NotFormer)?;
            Self::deposit_event(Event::RolledBack {
                model,
                version,
                weights,
            });
            Ok(())
        }

        /// Ends service and training of a model, for ever. Its shares and income stay.
        ///
        /// Only the owner may call it. Emits `Retired`.
        #[pallet::call_index(4)]
        pub fn retire(origin: OriginFor<T>, model: ModelId) -> DispatchResult {
            let mut record = Self::owned(origin, model)?;
            record.status = ModelStatus::Retired;
            Models::<T>::insert(model, record);
            Self::deposit_event(Event::Retired { model });
            Ok(())
        }

        /// Gives shares to another account. What they have earned so far stays with the caller.
        ///
        /// Any holder may call it. Emits `SharesTransferred`.
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
            let mut giver = Shares::<T>::get(model, &from);
            let mut taker = Shares::<T>::get(model, &to);
            ledger
                .transfer(&mut giver, &mut taker, amount)
                .map_err(Error::<T>::from)?;
            Self::keep(model, &mut ledger, &from, giver)?;
            Self::keep(model, &mut ledger, &to, taker)?;
            Ledgers::<T>::insert(model, ledger);
            Self::deposit_event(Event::SharesTransferred {
                model,
                from,
                to,
                amount,
            });
            Ok(())
        }

        /// Pays what the caller's shares have earned out of the pot.
        ///
        /// Any holder may call it, also after it has given its shares away. Emits `Collected`.
        #[pallet::call_index(6)]
        pub fn collect(origin: OriginFor<T>, model: ModelId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(Models::<T>::contains_key(model), Error::<T>::UnknownModel);
            let mut ledger = Ledgers::<T>::get(model);
            let mut holding = Shares::<T>::get(model, &who);
            let amount = ledger.collect(&mut holding);
            ensure!(amount > 0, Error::<T>::NothingToCollect);
            T::Currency::transfer(&Self::pot_of(model), &who, amount, Preservation::Preserve)?;
            Self::keep(model, &mut ledger, &who, holding)?;
            Ledgers::<T>::insert(model, ledger);
            Self::deposit_event(Event::Collected { model, who, amount });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// The account that collects a model's income.
        pub fn pot_of(model: ModelId) -> T::AccountId {
            T::PalletId::get().into_sub_account_truncating(model)
        }

        fn owned(origin: OriginFor<T>, model: ModelId) -> Result<RecordOf<T>, DispatchError> {
            let who = ensure_signed(origin)?;
            let record = Models::<T>::get(model).ok_or(Error::<T>::UnknownModel)?;
            ensure!(record.owner == who, Error::<T>::NotOwner);
            ensure!(record.status == ModelStatus::Served, Error::<T>::ModelRetired);
            Ok(record)
        }

        /// Makes a version that must be at `status` the live one, and returns its weights.
        pub(crate) fn go_live(
            model: ModelId,
            mut record: RecordOf<T>,
            version: VersionIndex,
            status: VersionStatus,
            otherwise: Error<T>,
        ) -> Result<BlobId, DispatchError> {
            let mut next = Versions::<T>::get(model, version).ok_or(Error::<T>::UnknownVersion)?;
            ensure!(next.status == status, otherwise);
            Versions::<T>::mutate(model, record.live, |live| {
                if let Some(live) = live {
                    live.status = VersionStatus::Former;
                }
            });
            next.status = VersionStatus::Live;
            let weights = next.weights;
            Versions::<T>::insert(model, version, next);
            record.live = version;
            Models::<T>::insert(model, record);
            Ok(weights)
        }

        pub(crate) fn do_issue(model: ModelId, to: &T::AccountId, amount: Balance) -> DispatchResult {
            let mut ledger = Ledgers::<T>::get(model);
            let mut holding = Shares::<T>::get(model, to);
            ledger.issue(&mut holding, amount).map_err(Error::<T>::from)?;
            Self::keep(model, &mut ledger, to, holding)?;
            Ledgers::<T>::insert(model, ledger);
            Self::deposit_event(Event::SharesIssued {
                model,
                to: to.clone(),
                amount,
            });
            Ok(())
        }

        /// Stores a holding, or forgets it when it is empty, and counts the holders.
        fn keep(model: ModelId, ledger: &mut Ledger, who: &T::AccountId, holding: Holding) -> DispatchResult {
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
}
