// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet and balances.

use crate::{self as pallet_models, model::PromotionRule};
use agorai_primitives::{
    model::Architecture,
    traits::{ModelRegistry as _, TrainingOrigin},
    Balance, BlobId, VersionIndex,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{fungible::Mutate, tokens::Preservation, ConstU128, ConstU32},
    BoundedVec, PalletId,
};
use pallet_testing as testing;
use sp_runtime::{DispatchError, DispatchResult};

type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Models: pallet_models,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

pub const EXISTENTIAL: Balance = 10;

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<EXISTENTIAL>;
}

parameter_types! {
    pub const Pots: PalletId = PalletId(*b"ag/model");
}

impl pallet_models::Config for Test {
    type Currency = Balances;
    type PalletId = Pots;
    type Deposit = ConstU128<500>;
    type InitialShares = ConstU128<1_000>;
    type MaxHolders = ConstU32<3>;
    type MaxVersions = ConstU32<5>;
    type WeightInfo = ();
}

pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;
pub const CHARLIE: u64 = 3;
pub const DAVE: u64 = 4;
pub const FUNDS: Balance = 1_000_000;

/// Runs `test` on a new chain, then checks the storage invariants and that the total issuance has not changed.
pub fn run_test(test: impl FnOnce()) {
    let balances = [ALICE, BOB, CHARLIE, DAVE].map(|who| (who, FUNDS));
    testing::funded_chain::<Test>(balances.to_vec()).execute_with(|| {
        test();
        Models::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), 4 * FUNDS);
    });
}

/// Weights named by `seed`.
pub fn weights(seed: u8) -> BlobId {
    BlobId([seed; 32])
}

/// The arguments of `create`, with valid defaults.
pub struct CreateCall {
    pub name: &'static [u8],
    pub architecture: Architecture,
    pub weights: BlobId,
    pub bytes: u64,
    pub promotion: PromotionRule,
}

impl Default for CreateCall {
    fn default() -> Self {
        Self {
            name: b"aesop",
            architecture: Architecture::SMALL,
            weights: weights(1),
            bytes: Architecture::SMALL.parameters() * 4 + 3_000,
            promotion: PromotionRule::Owner,
        }
    }
}

impl CreateCall {
    pub fn dispatch(self, who: u64) -> DispatchResult {
        Models::create(
            RuntimeOrigin::signed(who),
            BoundedVec::truncate_from(self.name.to_vec()),
            self.architecture,
            self.weights,
            self.bytes,
            7,
            self.promotion,
        )
    }
}

/// Adds the version that a training round from `parent` computed to model 0.
pub fn add_trained(parent: VersionIndex, datasets: &[u32], losses: (u64, u64)) -> Result<VersionIndex, DispatchError> {
    let origin = TrainingOrigin {
        parent,
        plan: 0,
        round: parent,
        datasets: datasets.to_vec(),
        loss_before: losses.0,
        loss_after: losses.1,
    };
    Models::add_trained(0, weights(parent as u8 + 100), origin)
}

/// Transfers an income to the pot of model 0 and credits it to the holders.
pub fn earn(amount: Balance) {
    Balances::transfer(&BOB, &Models::pot_of(0), amount, Preservation::Preserve).unwrap();
    Models::note_income(0, amount);
}

pub fn signed(who: u64) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}
