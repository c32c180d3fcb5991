// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls. Estimates from the storage that each call accesses, not benchmarked.

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
    /// Weight of `create`.
    fn create() -> Weight;
    /// Weight of `set_price`.
    fn set_price() -> Weight;
    /// Weight of `promote`.
    fn promote() -> Weight;
    /// Weight of `roll_back`.
    fn roll_back() -> Weight;
    /// Weight of `retire`.
    fn retire() -> Weight;
    /// Weight of `transfer_shares`.
    fn transfer_shares() -> Weight;
    /// Weight of `collect`.
    fn collect() -> Weight;
}

/// Upper bound of the proof of a call, in bytes: a model, two versions, two holdings and two accounts.
const PROOF_BYTES: u64 = 16_000;

fn estimate(db: RuntimeDbWeight, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(50 * WEIGHT_REF_TIME_PER_MICROS, PROOF_BYTES).saturating_add(db.reads_writes(reads, writes))
}

macro_rules! estimates {
    ($db:expr) => {
        fn create() -> Weight {
            estimate($db, 7, 9)
        }
        fn set_price() -> Weight {
            estimate($db, 1, 1)
        }
        fn promote() -> Weight {
            estimate($db, 3, 3)
        }
        fn roll_back() -> Weight {
            estimate($db, 3, 3)
        }
        fn retire() -> Weight {
            estimate($db, 1, 1)
        }
        fn transfer_shares() -> Weight {
            estimate($db, 4, 3)
        }
        fn collect() -> Weight {
            estimate($db, 5, 4)
        }
    };
}

/// Estimates that use the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    estimates!(T::DbWeight::get());
}

impl WeightInfo for () {
    estimates!(RocksDbWeight::get());
}
