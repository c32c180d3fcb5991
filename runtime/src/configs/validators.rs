// SPDX-License-Identifier: Apache-2.0
//! Bonds and slashing.

use crate::{
    configs::MaxAuthorities,
    constants::{TreasuryAccount, CHILL_SESSIONS, REPORTING_SESSIONS, UNBONDING_SESSIONS, UNIT},
    Balances, Runtime,
};
use frame_support::traits::{tokens::imbalance::ResolveTo, ConstU128, ConstU32};

impl pallet_validators::Config for Runtime {
    type Currency = Balances;
    type Slashed = ResolveTo<TreasuryAccount, Balances>;
    type MinBond = ConstU128<{ 1_000 * UNIT }>;
    type MaxValidators = MaxAuthorities;
    type MaxBonds = ConstU32<1_000>;
    type MaxUnbonding = ConstU32<32>;
    type UnbondingSessions = ConstU32<UNBONDING_SESSIONS>;
    type ReportingSessions = ConstU32<REPORTING_SESSIONS>;
    type ChillSessions = ConstU32<CHILL_SESSIONS>;
    type WeightInfo = pallet_validators::weights::EstimatedWeight<Runtime>;
}
