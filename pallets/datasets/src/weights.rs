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
    /// Weight of `publish` for a number of shards and of contributors.
    fn publish(shards: u32, contributors: u32) -> Weight;
    /// Weight of `withdraw`.
    fn withdraw() -> Weight;
}

/// Upper bound of an encoded record, in bytes.
const PROOF_BYTES: u64 = 16_000;

fn publish(db: RuntimeDbWeight, shards: u32, contributors: u32) -> Weight {
    // Three BLAKE3 hashes per shard; both lists are sorted.
    let micros = 60 + 4 * u64::from(shards) + u64::from(contributors);
    Weight::from_parts(micros.saturating_mul(WEIGHT_REF_TIME_PER_MICROS), PROOF_BYTES)
        .saturating_add(db.reads_writes(5, 4))
}

fn withdraw(db: RuntimeDbWeight) -> Weight {
    Weight::from_parts(40 * WEIGHT_REF_TIME_PER_MICROS, PROOF_BYTES).saturating_add(db.reads_writes(1, 1))
}

/// Estimates that use the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn publish(shards: u32, contributors: u32) -> Weight {
        publish(T::DbWeight::get(), shards, contributors)
    }
    fn withdraw() -> Weight {
        withdraw(T::DbWeight::get())
    }
}

impl WeightInfo for () {
    fn publish(shards: u32, contributors: u32) -> Weight {
        publish(RocksDbWeight::get(), shards, contributors)
    }
    fn withdraw() -> Weight {
        withdraw(RocksDbWeight::get())
    }
}
