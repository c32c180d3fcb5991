// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls, estimated from the storage accesses of each. Not benchmarked.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{
        constants::{RocksDbWeight, WEIGHT_REF_TIME_PER_MICROS},
        RuntimeDbWeight, Weight,
    },
};

/// Weights of the calls.
pub trait WeightInfo {
    /// Weight of `bond`.
    fn bond() -> Weight;
    /// Weight of `bond_extra`.
    fn bond_extra() -> Weight;
    /// Weight of `unbond`.
    fn unbond() -> Weight;
    /// Weight of `withdraw_unbonded`.
    fn withdraw_unbonded() -> Weight;
    /// Weight of `chill`.
    fn chill() -> Weight;
    /// Weight of `rejoin`.
    fn rejoin() -> Weight;
}

/// Proof size of an account with its holds and its bond, in bytes.
const PROOF_BYTES: u64 = 8_000;

fn estimate(db: RuntimeDbWeight, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(50 * WEIGHT_REF_TIME_PER_MICROS, PROOF_BYTES).saturating_add(db.reads_writes(reads, writes))
}

/// Estimates with the database weights of the runtime.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn bond() -> Weight {
        estimate(T::DbWeight::get(), 4, 4)
    }
    fn bond_extra() -> Weight {
        estimate(T::DbWeight::get(), 3, 3)
    }
    fn unbond() -> Weight {
        estimate(T::DbWeight::get(), 2, 1)
    }
    fn withdraw_unbonded() -> Weight {
        estimate(T::DbWeight::get(), 5, 4)
    }
    fn chill() -> Weight {
        estimate(T::DbWeight::get(), 2, 1)
    }
    fn rejoin() -> Weight {
        estimate(T::DbWeight::get(), 2, 1)
    }
}

impl WeightInfo for () {
    fn bond() -> Weight {
        estimate(RocksDbWeight::get(), 4, 4)
    }
    fn bond_extra() -> Weight {
        estimate(RocksDbWeight::get(), 3, 3)
    }
    fn unbond() -> Weight {
        estimate(RocksDbWeight::get(), 2, 1)
    }
    fn withdraw_unbonded() -> Weight {
        estimate(RocksDbWeight::get(), 5, 4)
    }
    fn chill() -> Weight {
        estimate(RocksDbWeight::get(), 2, 1)
    }
    fn rejoin() -> Weight {
        estimate(RocksDbWeight::get(), 2, 1)
    }
}
