// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet and balances.

use crate::{self as pallet_datasets, dataset::AccessTerms, shards::Shards};
use agorai_primitives::{Balance, BlobId, Shard};
use frame_support::{
    derive_impl,
    traits::{ConstU128, ConstU64},
    BoundedVec,
};
use pallet_testing as testing;
use sp_runtime::DispatchResult;

type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Datasets: pallet_datasets,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
}

impl pallet_datasets::Config for Test {
    type Currency = Balances;
    type DepositPerByte = ConstU128<10>;
    type MaxBytes = ConstU64<1_000>;
    type WeightInfo = ();
}

pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;
pub const POOR: u64 = 3;

/// Runs `test` on a new chain, then checks the storage invariants.
pub fn run_test(test: impl FnOnce()) {
    let balances = vec![(ALICE, 100_000), (BOB, 100_000), (POOR, 10)];
    testing::funded_chain::<Test>(balances).execute_with(|| {
        test();
        Datasets::do_try_state().unwrap();
    });
}

/// Shards of these lengths with distinct hashes.
pub fn shards(lengths: &[u64]) -> Shards {
    let shard = |(index, bytes): (usize, &u64)| Shard {
        blob: BlobId([index as u8 + 1; 32]),
        bytes: *bytes,
    };
    lengths
        .iter()
        .enumerate()
        .map(shard)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// The arguments of `publish`, with valid defaults.
pub struct PublishCall {
    pub name: &'static [u8],
    pub parent: Option<u32>,
    pub manifest: BlobId,
    pub licence: &'static [u8],
    pub shards: Shards,
    pub contributors: Vec<(u64, u32)>,
    pub access: AccessTerms,
}

impl Default for PublishCall {
    fn default() -> Self {
        Self {
            name: b"tales",
            parent: None,
            manifest: BlobId([9; 32]),
            licence: b"CC-BY-4.0",
            shards: shards(&[300, 200]),
            contributors: vec![(ALICE, 2), (BOB, 1)],
            access: AccessTerms::Open,
        }
    }
}

impl PublishCall {
    pub fn dispatch(self, who: u64) -> DispatchResult {
        Datasets::publish(
            RuntimeOrigin::signed(who),
            BoundedVec::truncate_from(self.name.to_vec()),
            self.parent,
            self.manifest,
            BoundedVec::truncate_from(self.licence.to_vec()),
            self.shards,
            self.contributors.try_into().unwrap(),
            self.access,
        )
    }
}
