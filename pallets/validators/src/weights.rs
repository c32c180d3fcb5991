// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls, estimated from the storage that each touches; to be replaced by measured ones.

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
    /// `bond`
    fn bond() -> Weight;
    /// `bond_extra`
    fn bond_extra() -> Weight;
    /// `unbond`
    fn unbond() -> Weight;
    /// `withdraw_unbonded`
    fn withdraw_unbonded() -> Weight;
    /// `chill`
    fn chill() -> Weight;
    /// `rejoin`
    fn rejoin() -> Weight;
}

/// One account, its holds and its bond in the proof.
const PROOF_BYTES: u64 = 8_000;

fn touching(db: RuntimeDbWeight, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(50 * WEIGHT_REF_TIME_PER_MICROS, PROOF_BYTES).saturating_add(db.reads_writes(reads, writes))
}

/// Estimates with the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn bond() -> Weight {
        touching(T::DbWeight::get(), 4, 4)
    }
    fn bond_extra() -> Weight {
        touching(T::DbWeight::get(), 3, 3)
    }
    fn unbond() -> Weight {
        touching(T::DbWeight::get(), 2, 1)
    }
    fn withdraw_unbonded() -> Weight {
        touching(T::DbWeight::get(), 5, 4)
    }
    fn chill() -> Weight {
        touching(T::DbWeight::get(), 2, 1)
    }
    fn rejoin() -> Weight {
        touching(T::DbWeight::get(), 2, 1)
    }
}

impl WeightInfo for () {
    fn bond() -> Weight {
        touching(RocksDbWeight::get(), 4, 4)
    }
    fn bond_extra() -> Weight {
        touching(RocksDbWeight::get(), 3, 3)
    }
    fn unbond() -> Weight {
        touching(RocksDbWeight::get(), 2, 1)
    }
    fn withdraw_unbonded() -> Weight {
        touching(RocksDbWeight::get(), 5, 4)
    }
    fn chill() -> Weight {
        touching(RocksDbWeight::get(), 2, 1)
    }
    fn rejoin() -> Weight {
        touching(RocksDbWeight::get(), 2, 1)
    }
}
