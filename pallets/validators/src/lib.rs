// SPDX-License-Identifier: Apache-2.0
//! # Validators
//!
//! Bonds, the validator set of each session, slashing, and eligibility for jobs.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | bond | native tokens held on an account, at stake for its conduct in consensus and in jobs |
//! | candidate | an account whose bond can be selected for the set |
//! | chilled | not selected for a set and not drawn for jobs, after `chill` or a slash |
//! | member | a validator of the current session, with its `cmte` key of the session |
//! | eligible | a member that is a candidate; only eligible members are drawn for jobs |
//! | unbonding | a part of a bond that no longer counts and can be withdrawn later; it can still be slashed |
//! | reporting window | the sessions after an offence in which it can be reported |
//!
//! ## Calls
//!
//! | call | caller | effect |
//! |---|---|---|
//! | `bond` | an account without a bond | holds the tokens; the account becomes a candidate |
//! | `bond_extra` | an account with a bond | raises the bond |
//! | `unbond` | an account with a bond | starts unbonding a part or all of the bond |
//! | `withdraw_unbonded` | an account with a bond | releases the parts whose unbonding period has ended |
//! | `chill` | a candidate | chills the account |
//! | `rejoin` | a chilled account | makes the account a candidate again, once its chill has ended |
//!
//! ## Assumptions
//!
//! - Accounts register session keys with `session.setKeys`, before or after the bond. A candidate without keys is not
//!   selected.
//! - A bond can be withdrawn after [`Config::UnbondingSessions`], which is longer than an offence in the account's last
//!   session can be reported ([`Config::ReportingSessions`]).
//! - `pallet-offences` reports consensus offences, and the job pallets report faults through
//!   [`agorai_primitives::traits::Slash`]. Slashed tokens go to [`Config::Slashed`], so that issuance is conserved.
//! - The set is never empty: without a candidate the current set continues.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod bond;
mod eligibility;
mod sessions;
mod slashing;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use bond::{Bond, BondStatus, Unbonding};
pub use pallet::*;
pub use sessions::{SessionMember, UnitIdentificationOf};
pub use slashing::SlashCause;
pub use weights::WeightInfo;

// The macros of `pallet` generate items without documentation.
#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{Balance, SessionIndex};
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{BalancedHold, Credit, Inspect, MutateHold},
            tokens::Precision,
            OnUnbalanced,
        },
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::Perbill;

    /// Slashed tokens that are passed to [`Config::Slashed`].
    pub type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;
    /// A bond with the types of the runtime.
    pub type BondOf<T> = Bond<<T as Config>::MaxUnbonding>;
    /// A member with the types of the runtime.
    pub type SessionMemberOf<T> = SessionMember<<T as frame_system::Config>::AccountId>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<RuntimeEvent: From<Event<Self>>>
        + pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
        + pallet_session::historical::Config<FullIdentification = ()>
    {
        /// The native token.
        type Currency: Inspect<Self::AccountId, Balance = Balance>
            + MutateHold<Self::AccountId, Reason: From<HoldReason>>
            + BalancedHold<Self::AccountId>;

        /// Receives slashed tokens.
        type Slashed: OnUnbalanced<CreditOf<Self>>;

        /// Minimum active bond of a candidate, in the smallest unit.
        #[pallet::constant]
        type MinBond: Get<Balance>;

        /// Maximum number of validators in a session.
        #[pallet::constant]
        type MaxValidators: Get<u32>;

        /// Maximum number of accounts with a bond. Selecting a set reads all of them.
        #[pallet::constant]
        type MaxBonds: Get<u32>;

        /// Maximum number of unbonding parts of a bond.
        #[pallet::constant]
        type MaxUnbonding: Get<u32>;

        /// Number of sessions between `unbond` and `withdraw_unbonded`.
        #[pallet::constant]
        type UnbondingSessions: Get<SessionIndex>;

        /// Number of sessions after an offence in which it can be reported.
        #[pallet::constant]
        type ReportingSessions: Get<SessionIndex>;

        /// Number of sessions for which a slashed validator is chilled.
        #[pallet::constant]
        type ChillSessions: Get<SessionIndex>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Reasons for holds on accounts.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The bond of an account.
        #[codec(index = 0)]
        Bond,
    }

    /// Bonds by account.
    #[pallet::storage]
    pub type Bonds<T: Config> = CountedStorageMap<_, Blake2_128Concat, T::AccountId, BondOf<T>, OptionQuery>;

    /// The validators of the current session, in the order of their session indices.
    #[pallet::storage]
    pub type Members<T: Config> = StorageValue<_, BoundedVec<SessionMemberOf<T>, T::MaxValidators>, ValueQuery>;

    /// The largest fraction of a bond that is slashed for consensus offences in a session. Reports of one incident can
    /// arrive one by one with increasing fractions; each slashes only the excess.
    #[pallet::storage]
    pub type Punished<T: Config> =
        StorageDoubleMap<_, Twox64Concat, SessionIndex, Blake2_128Concat, T::AccountId, Perbill, OptionQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Bonds at genesis, in the smallest unit. Each account must own more than its bond.
        pub bonds: Vec<(T::AccountId, Balance)>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            for (who, amount) in &self.bonds {
                Pallet::<T>::do_bond(who, *amount).unwrap_or_else(|error| panic!("genesis bond of {who:?}: {error:?}"));
            }
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account bonded tokens and became a candidate.
        Bonded {
            /// The account.
            who: T::AccountId,
            /// The bond, in the smallest unit.
            amount: Balance,
        },
        /// An account raised its bond.
        BondRaised {
            /// The account.
            who: T::AccountId,
            /// The additional amount, in the smallest unit.
            amount: Balance,
            /// The active bond after the call, in the smallest unit.
            active: Balance,
        },
        /// An account started unbonding a part of its bond.
        Unbonding {
            /// The account.
            who: T::AccountId,
            /// The unbonding amount, in the smallest unit.
            amount: Balance,
            /// The active bond after the call, in the smallest unit.
            active: Balance,
            /// First session in which the amount can be withdrawn.
            free_at: SessionIndex,
        },
        /// An account withdrew unbonded tokens.
        Withdrawn {
            /// The account.
            who: T::AccountId,
            /// The released amount, in the smallest unit.
            amount: Balance,
            /// The amount that is still held, in the smallest unit.
            remaining: Balance,
        },
        /// An account was chilled.
        Chilled {
            /// The account.
            who: T::AccountId,
            /// First session in which the account can rejoin.
            until: SessionIndex,
        },
        /// A chilled account became a candidate again.
        Rejoined {
            /// The account.
            who: T::AccountId,
        },
        /// A bond was slashed.
        Slashed {
            /// The account.
            who: T::AccountId,
            /// The slashed amount, in the smallest unit.
            amount: Balance,
            /// The bond that remains, unbonding parts included, in the smallest unit.
            remaining: Balance,
            /// The offence or fault.
            cause: SlashCause,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The account already has a bond. Raise it with `bond_extra`.
        AlreadyBonded,
        /// The account has no bond.
        NotBonded,
        /// The bond, or the remainder of it, is below `MinBond`.
        BondTooSmall,
        /// The amount exceeds the active bond.
        BondExceeded,
        /// The amount is zero.
        AmountIsZero,
        /// The maximum number of bonds is reached.
        TooManyBonds,
        /// The bond has the maximum number of unbonding parts. Withdraw the unbonded ones with `withdraw_unbonded`.
        TooManyUnbonding,
        /// No part of the bond has completed its unbonding period.
        NothingToWithdraw,
        /// The account is already chilled.
        AlreadyChilled,
        /// The account is not chilled.
        NotChilled,
        /// The chill of the account has not ended.
        ChillNotOver,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::UnbondingSessions::get() >= T::ReportingSessions::get().saturating_add(2),
                "a validator stays in the set for two sessions after it unbonds, and its bond must be slashable for \
                 the reporting window after them"
            );
            assert!(T::MaxValidators::get() > 0, "the set has no room for a validator");
            assert!(
                T::MaxBonds::get() >= T::MaxValidators::get(),
                "the set cannot be filled"
            );
            assert!(T::MaxUnbonding::get() > 0, "no bond can be unbonded");
            assert!(T::MinBond::get() > 0, "a candidate has nothing at stake");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Holds `amount` as the bond of the caller, who becomes a candidate for the next set.
        ///
        /// The caller must not have a bond. Emits [`Event::Bonded`].
        #[pallet::call_index(0)]
        pub fn bond(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_bond(&who, amount)?;
            Self::deposit_event(Event::Bonded { who, amount });
            Ok(())
        }

        /// Raises the caller's bond by `amount`.
        ///
        /// The caller must have a bond. Emits [`Event::BondRaised`].
        #[pallet::call_index(1)]
        pub fn bond_extra(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(amount > 0, Error::<T>::AmountIsZero);
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            let active = bond
                .active
                .checked_add(amount)
                .ok_or(sp_runtime::ArithmeticError::Overflow)?;
            ensure!(active >= T::MinBond::get(), Error::<T>::BondTooSmall);
            <T as Config>::Currency::hold(&HoldReason::Bond.into(), &who, amount)?;
            bond.active = active;
            Bonds::<T>::insert(&who, bond);
            Self::deposit_event(Event::BondRaised { who, amount, active });
            Ok(())
        }

        /// Starts unbonding `amount` of the caller's bond. The amount can be withdrawn after
        /// [`Config::UnbondingSessions`] and can be slashed until it is withdrawn.
        ///
        /// The remaining active bond must be zero or at least [`Config::MinBond`]. Emits [`Event::Unbonding`].
        #[pallet::call_index(2)]
        pub fn unbond(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(amount > 0, Error::<T>::AmountIsZero);
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            let active = bond.active.checked_sub(amount).ok_or(Error::<T>::BondExceeded)?;
            ensure!(active == 0 || active >= T::MinBond::get(), Error::<T>::BondTooSmall);
            let free_at = Self::session().saturating_add(T::UnbondingSessions::get());
            match bond.unbonding.last_mut() {
                Some(part) if part.free_at == free_at => part.amount = part.amount.saturating_add(amount),
                _ => bond
                    .unbonding
                    .try_push(Unbonding { amount, free_at })
                    .map_err(|_| Error::<T>::TooManyUnbonding)?,
            }
            bond.active = active;
            Bonds::<T>::insert(&who, bond);
            Self::deposit_event(Event::Unbonding {
                who,
                amount,
                active,
                free_at,
            });
            Ok(())
        }

        /// Releases the parts of the caller's bond whose unbonding period has ended.
        ///
        /// Emits [`Event::Withdrawn`]. Removes the bond if it is empty and no chill is pending.
        #[pallet::call_index(3)]
        pub fn withdraw_unbonded(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            let now = Self::session();
            let amount = bond.withdraw(now);
            ensure!(amount > 0 || bond.is_removable(now), Error::<T>::NothingToWithdraw);
            <T as Config>::Currency::release(&HoldReason::Bond.into(), &who, amount, Precision::Exact)?;
            let remaining = bond.total();
            if bond.is_removable(now) {
                Bonds::<T>::remove(&who);
            } else {
                Bonds::<T>::insert(&who, bond);
            }
            Self::deposit_event(Event::Withdrawn { who, amount, remaining });
            Ok(())
        }

        /// Chills the caller: it is not selected for the next set and not drawn for jobs.
        ///
        /// The caller must be a candidate and can `rejoin` in the same session. Emits [`Event::Chilled`].
        #[pallet::call_index(4)]
        pub fn chill(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            ensure!(bond.status == BondStatus::Candidate, Error::<T>::AlreadyChilled);
            let until = Self::session();
            bond.chill(until);
            Bonds::<T>::insert(&who, bond);
            Self::deposit_event(Event::Chilled { who, until });
            Ok(())
        }

        /// Makes the caller a candidate again.
        ///
        /// The caller must be chilled, its chill must have ended, and its active bond must be at least
        /// [`Config::MinBond`]. Emits [`Event::Rejoined`].
        #[pallet::call_index(5)]
        pub fn rejoin(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            let BondStatus::Chilled { until } = bond.status else {
                return Err(Error::<T>::NotChilled.into());
            };
            ensure!(Self::session() >= until, Error::<T>::ChillNotOver);
            ensure!(bond.active >= T::MinBond::get(), Error::<T>::BondTooSmall);
            bond.status = BondStatus::Candidate;
            Bonds::<T>::insert(&who, bond);
            Self::deposit_event(Event::Rejoined { who });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Returns the index of the current session.
        pub fn session() -> SessionIndex {
            pallet_session::Pallet::<T>::current_index()
        }

        fn do_bond(who: &T::AccountId, amount: Balance) -> DispatchResult {
            ensure!(!Bonds::<T>::contains_key(who), Error::<T>::AlreadyBonded);
            ensure!(amount >= T::MinBond::get(), Error::<T>::BondTooSmall);
            ensure!(Bonds::<T>::count() < T::MaxBonds::get(), Error::<T>::TooManyBonds);
            <T as Config>::Currency::hold(&HoldReason::Bond.into(), who, amount)?;
            Bonds::<T>::insert(who, Bond::new(amount));
            Ok(())
        }
    }
}
