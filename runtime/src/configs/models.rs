// SPDX-License-Identifier: Apache-2.0
//! Datasets and models.

use crate::{
    constants::{MILLI, UNIT},
    Balances, Runtime,
};
use frame_support::{
    parameter_types,
    traits::{ConstU128, ConstU32, ConstU64},
    PalletId,
};

parameter_types! {
    /// Identifier of the accounts that collect the income of models.
    pub const ModelPots: PalletId = PalletId(*b"agora/mo");
}

impl pallet_datasets::Config for Runtime {
    type Currency = Balances;
    type DepositPerByte = ConstU128<MILLI>;
    // 16 TiB.
    type MaxBytes = ConstU64<{ 16 << 40 }>;
    type WeightInfo = pallet_datasets::weights::EstimatedWeight<Runtime>;
}

impl pallet_models::Config for Runtime {
    type Currency = Balances;
    type PalletId = ModelPots;
    type Deposit = ConstU128<{ 10 * UNIT }>;
    type InitialShares = ConstU128<1_000_000>;
    type MaxHolders = ConstU32<10_000>;
    type MaxVersions = ConstU32<1_000>;
    type WeightInfo = pallet_models::weights::EstimatedWeight<Runtime>;
}
