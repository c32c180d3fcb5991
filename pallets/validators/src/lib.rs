// SPDX-License-Identifier: Apache-2.0
//! # Validators
//!
//! Bonds, the session set, slashing, and who may be drawn for jobs.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | bond | native tokens held on an account, at stake for how it validates and computes |
//! | candidate | an account whose bond may be chosen for the set |
//! | chilled | put aside, by itself or by a slash: not chosen for a set, not drawn for a job |
//! | member | a validator of the current session, with the `cmte` key that it has in it |
//! | eligible | a member that is a candidate: only those are drawn for jobs |
//! | reporting window | the sessions during which an offence can still be reported |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `bond` | anyone with the tokens | becomes a candidate |
//! | `bond_extra` | who has a bond | raises it |
//! | `unbond` | who has a bond | a part, or all, starts its way out; it stays slashable |
//! | `withdraw_unbonded` | who has a bond | what has waited long enough is free again |
//! | `chill` | a candidate | steps aside |
//! | `rejoin` | who is chilled | a candidate again, once its time has passed |
//!
//! ## Assumptions
//!
//! - Session keys are registered with `session.setKeys`, before or after the bond; a candidate
//!   without keys is not chosen.
//! - A bond leaves only after [`Config::UnbondingSessions`], which is longer than an offence made
//!   in its last session can be reported ([`Config::ReportingSessions`]).
//! - Offences come from `pallet-offences`, and from the job pallets through
//!   [`agorai_primitives::traits`]. What is slashed goes to [`Config::Slashed`] and never just
//!   vanishes, so issuance is conserved.
//! - The set never becomes empty: without a candidate the present set stays.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod eligibility;
mod sessions;
mod slashing;
pub mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use sessions::UnitIdentificationOf;
pub use weights::WeightInfo;

/// Target of this pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::validators";

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
    use types::{Bond, BondStatus, Cause, Member, Unbonding};

    /// What a slash takes, on its way to [`Config::Slashed`].
    pub type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;
    /// The bond as this runtime keeps it.
    pub type BondOf<T> = Bond<<T as Config>::MaxUnbonding>;
    /// The member as this runtime keeps it.
    pub type MemberOf<T> = Member<<T as frame_system::Config>::AccountId>;

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

        /// Where slashed tokens go.
        type Slashed: OnUnbalanced<CreditOf<Self>>;

        /// The least active bond of a candidate.
        #[pallet::constant]
        type MinBond: Get<Balance>;

        /// Most validators in a session.
        #[pallet::constant]
        type MaxValidators: Get<u32>;

        /// Most accounts with a bond. All of them are read when a set is chosen.
        #[pallet::constant]
        type MaxBonds: Get<u32>;

        /// Most parts of one bond on their way out at once.
        #[pallet::constant]
        type MaxUnbonding: Get<u32>;

        /// Sessions between `unbond` and `withdraw_unbonded`.
        #[pallet::constant]
        type UnbondingSessions: Get<SessionIndex>;

        /// Sessions after an offence during which it can be reported.
        #[pallet::constant]
        type ReportingSessions: Get<SessionIndex>;

        /// Sessions that a slashed validator stays chilled.
        #[pallet::constant]
        type ChillSessions: Get<SessionIndex>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why the pallet holds tokens.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A validator's bond.
        #[codec(index = 0)]
        Bond,
    }

    /// Bonds by account.
    #[pallet::storage]
    pub type Bonds<T: Config> = CountedStorageMap<_, Blake2_128Concat, T::AccountId, BondOf<T>, OptionQuery>;

    /// The validators of the current session in the order of the session's indices.
    #[pallet::storage]
    pub type Members<T: Config> = StorageValue<_, BoundedVec<MemberOf<T>, T::MaxValidators>, ValueQuery>;

    /// The largest fraction already taken for consensus offences in a session. Reports of one
    /// incident may come one by one, each with a higher fraction: only the excess is taken.
    #[pallet::storage]
    pub type Punished<T: Config> =
        StorageDoubleMap<_, Twox64Concat, SessionIndex, Blake2_128Concat, T::AccountId, Perbill, OptionQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Bonds at genesis; each account must be endowed with more.
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
        /// An account bonded and is a candidate.
        Bonded { who: T::AccountId, amount: Balance },
        /// A bond grew.
        BondRaised {
            who: T::AccountId,
            amount: Balance,
            active: Balance,
        },
        /// A part of a bond started its way out.
        Unbonding {
            who: T::AccountId,
            amount: Balance,
            active: Balance,
            free_at: SessionIndex,
        },
        /// A part of a bond is free again.
        Withdrawn {
            who: T::AccountId,
            amount: Balance,
            remaining: Balance,
        },
        /// An account is not chosen and not drawn until it rejoins, from session `until` on.
        Chilled { who: T::AccountId, until: SessionIndex },
        /// An account is a candidate again.
        Rejoined { who: T::AccountId },
        /// A part of a bond was taken.
        Slashed {
            who: T::AccountId,
            amount: Balance,
            remaining: Balance,
            cause: Cause,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The account has a bond already: use `bond_extra`.
        AlreadyBonded,
        /// The account has no bond.
        NotBonded,
        /// The bond, or what would be left of it, is below `MinBond`.
        BondTooSmall,
        /// More was asked for than is active.
        BondExceeded,
        /// The amount is zero.
        AmountIsZero,
        /// As many accounts have a bond as the chain allows.
        TooManyBonds,
        /// Too many parts are on their way out: `withdraw_unbonded` what is free first.
        TooManyUnbonding,
        /// Nothing has waited long enough yet.
        NothingToWithdraw,
        /// The account is chilled already.
        AlreadyChilled,
        /// The account is a candidate: there is nothing to rejoin.
        NotChilled,
        /// The account was slashed too recently to rejoin.
        ChillNotOver,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::UnbondingSessions::get() >= T::ReportingSessions::get().saturating_add(2),
                "who unbonds stays in the set for two more sessions, and must then be slashable \
                 for the whole reporting window"
            );
            assert!(T::MaxValidators::get() > 0, "a set has room for a validator");
            assert!(T::MaxBonds::get() >= T::MaxValidators::get(), "a set can be filled");
            assert!(T::MaxUnbonding::get() > 0, "a bond can leave");
            assert!(T::MinBond::get() > 0, "a candidate has something at stake");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Puts `amount` at stake, so that the caller is a candidate from the next choice on.
        ///
        /// Any account without a bond may call it. Emits `Bonded`.
        #[pallet::call_index(0)]
        pub fn bond(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_bond(&who, amount)?;
            Self::deposit_event(Event::Bonded { who, amount });
            Ok(())
        }

        /// Raises the caller's bond by `amount`.
        ///
        /// The account must have a bond. Emits `BondRaised`.
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

        /// Starts the way out of `amount` of the caller's bond. It stays slashable until it is free,
        /// [`Config::UnbondingSessions`] from now.
        ///
        /// What remains must be nothing or at least [`Config::MinBond`]. Emits `Unbonding`.
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

        /// Frees those parts of the caller's bond that have waited long enough.
        ///
        /// Emits `Withdrawn`; forgets the bond when nothing remains of it and no chill is pending.
        #[pallet::call_index(3)]
        pub fn withdraw_unbonded(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let mut bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            let now = Self::session();
            let amount = bond.take_free(now);
            ensure!(amount > 0 || bond.is_spent(now), Error::<T>::NothingToWithdraw);
            <T as Config>::Currency::release(&HoldReason::Bond.into(), &who, amount, Precision::Exact)?;
            let remaining = bond.total();
            if bond.is_spent(now) {
                Bonds::<T>::remove(&who);
            } else {
                Bonds::<T>::insert(&who, bond);
            }
            Self::deposit_event(Event::Withdrawn { who, amount, remaining });
            Ok(())
        }

        /// Steps aside: the caller is not chosen for the next set and not drawn for jobs.
        ///
        /// Emits `Chilled`. It may `rejoin` at once.
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

        /// Becomes a candidate again.
        ///
        /// The caller must be chilled, the session up to which it is chilled must have come, and its
        /// bond must still be at least [`Config::MinBond`]. Emits `Rejoined`.
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
        /// Index of the current session.
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
