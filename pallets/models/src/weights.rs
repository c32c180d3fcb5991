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
    /// `create`
    fn create() -> Weight;
    /// `set_price`
    fn set_price() -> Weight;
    /// `promote`
    fn promote() -> Weight;
    /// `roll_back`
    fn roll_back() -> Weight;
    /// `retire`
    fn retire() -> Weight;
    /// `transfer_shares`
    fn transfer_shares() -> Weight;
    /// `collect`
    fn collect() -> Weight;
}

/// A model, two versions, two holdings and two accounts in the proof.
const PROOF_BYTES: u64 = 16_000;

fn touching(db: RuntimeDbWeight, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(50 * WEIGHT_REF_TIME_PER_MICROS, PROOF_BYTES).saturating_add(db.reads_writes(reads, writes))
}

macro_rules! estimates {
    ($db:expr) => {
        fn create() -> Weight {
            touching($db, 7, 9)
        }
        fn set_price() -> Weight {
            touching($db, 1, 1)
        }
        fn promote() -> Weight {
            touching($db, 3, 3)
        }
        fn roll_back() -> Weight {
            touching($db, 3, 3)
        }
        fn retire() -> Weight {
            touching($db, 1, 1)
        }
        fn transfer_shares() -> Weight {
            touching($db, 4, 3)
        }
        fn collect() -> Weight {
            touching($db, 5, 4)
        }
    };
}

/// Estimates with the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    estimates!(T::DbWeight::get());
}

impl WeightInfo for () {
    estimates!(RocksDbWeight::get());
}
