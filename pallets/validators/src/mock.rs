// SPDX-License-Identifier: Apache-2.0
//! A mock runtime with the balances and session pallets. A session lasts [`SESSION`] blocks.

use crate as pallet_validators;
use agorai_primitives::{Balance, CommitteeId};
use frame_support::{
    derive_impl, parameter_types,
    traits::{tokens::imbalance::ResolveTo, ConstU128, ConstU32, OnInitialize},
};
use sp_core::sr25519;
use sp_runtime::{impl_opaque_keys, traits::ConvertInto, traits::OpaqueKeys, BuildStorage};

pub type AccountId = u64;
pub const SESSION: u64 = 5;
pub const MIN_BOND: Balance = 100;
pub const UNBONDING: u32 = 6;
pub const REPORTING: u32 = 4;
pub const CHILL: u32 = 3;
/// The account that receives slashed tokens.
pub const TREASURY: AccountId = 1_000;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Validators: pallet_validators,
        Session: pallet_session,
        Historical: pallet_session::historical,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Test>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

impl_opaque_keys! {
    pub struct SessionKeys {
        pub cmte: Validators,
    }
}

parameter_types! {
    pub const Period: u64 = SESSION;
    pub const Offset: u64 = 0;
    pub const Treasury: AccountId = TREASURY;
}

impl pallet_session::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = pallet_session::PeriodicSessions<Period, Offset>;
    type NextSessionRotation = pallet_session::PeriodicSessions<Period, Offset>;
    type SessionManager = pallet_session::historical::NoteHistoricalRoot<Test, Validators>;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
    type WeightInfo = ();
    type Currency = Balances;
    type KeyDeposit = ();
}

impl pallet_session::historical::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type FullIdentification = ();
    type FullIdentificationOf = pallet_validators::UnitIdentificationOf<Test>;
}

impl pallet_validators::Config for Test {
    type Currency = Balances;
    type Slashed = ResolveTo<Treasury, Balances>;
    type MinBond = ConstU128<MIN_BOND>;
    type MaxValidators = ConstU32<4>;
    type MaxBonds = ConstU32<6>;
    type MaxUnbonding = ConstU32<2>;
    type UnbondingSessions = ConstU32<UNBONDING>;
    type ReportingSessions = ConstU32<REPORTING>;
    type ChillSessions = ConstU32<CHILL>;
    type WeightInfo = ();
}

/// The key of account `who`.
pub fn key(who: AccountId) -> CommitteeId {
    sr25519::Public::from_raw([who as u8; 32]).into()
}

pub fn keys(who: AccountId) -> SessionKeys {
    SessionKeys { cmte: key(who) }
}

/// Accounts 1 to 9 own 10,000 each and have session keys. Accounts 1 to 3 are validators with a bond of 1,000 each.
pub fn new_test_ext() -> sp_io::TestExternalities {
    let genesis = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (1..10).map(|who| (who, 10_000)).collect(),
            ..Default::default()
        },
        validators: pallet_validators::GenesisConfig {
            bonds: (1..4).map(|who| (who, 1_000)).collect(),
        },
        session: pallet_session::GenesisConfig {
            keys: (1..4).map(|who| (who, who, keys(who))).collect(),
            non_authority_keys: (4..10).map(|who| (who, who, keys(who))).collect(),
        },
        ..Default::default()
    };
    let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs a test on [`new_test_ext`], then checks the invariants of the storage and that issuance is unchanged.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        let issued = Balances::total_issuance();
        test();
        Validators::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issued);
    });
}

/// Runs blocks until session `index` has begun.
pub fn go_to_session(index: u32) {
    while Session::current_index() < index {
        let block = System::block_number() + 1;
        System::set_block_number(block);
        Session::on_initialize(block);
    }
}

pub fn set() -> Vec<AccountId> {
    Session::validators()
}

pub fn last_event() -> RuntimeEvent {
    System::events().pop().unwrap().event
}
