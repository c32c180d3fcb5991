// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls. Estimates from what each call computes and accesses, not benchmarked.

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
    /// Weight of `request`: a hold, a draw among all members, the hash of the prompt.
    fn request() -> Weight;
    /// Weight of `submit_claim`: writes the record and a new claim with all members.
    fn submit_claim() -> Weight;
    /// Weight of authorizing a claim: decodes a record, hashes an output, verifies a signature.
    fn authorize_claim() -> Weight;
    /// Weight of a block that reassigns and prunes a number of requests.
    fn on_initialize(reassigned: u32, pruned: u32) -> Weight;
}

/// Upper bound of an encoded record with prompt and output, in bytes.
const RECORD_BYTES: u64 = 26_000;
/// Number of storage reads for the members' bonds and keys.
const MEMBER_READS: u64 = 40;

fn estimate(db: RuntimeDbWeight, micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(WEIGHT_REF_TIME_PER_MICROS), RECORD_BYTES)
        .saturating_add(db.reads_writes(reads, writes))
}

fn request(db: RuntimeDbWeight) -> Weight {
    estimate(db, 250, MEMBER_READS.saturating_add(8), 7)
}

fn submit_claim(db: RuntimeDbWeight) -> Weight {
    estimate(db, 300, MEMBER_READS.saturating_add(10), 8)
}

fn authorize_claim(db: RuntimeDbWeight) -> Weight {
    estimate(db, 200, 8, 0)
}

fn on_initialize(db: RuntimeDbWeight, reassigned: u32, pruned: u32) -> Weight {
    let per_reassigned = estimate(db, 250, MEMBER_READS.saturating_add(6), 6);
    let per_pruned = estimate(db, 30, 2, 2);
    per_reassigned
        .saturating_mul(reassigned.into())
        .saturating_add(per_pruned.saturating_mul(pruned.into()))
        .saturating_add(db.reads_writes(4, 3))
}

/// Estimates that use the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn request() -> Weight {
        request(T::DbWeight::get())
    }
    fn submit_claim() -> Weight {
        submit_claim(T::DbWeight::get())
    }
    fn authorize_claim() -> Weight {
        authorize_claim(T::DbWeight::get())
    }
    fn on_initialize(reassigned: u32, pruned: u32) -> Weight {
        on_initialize(T::DbWeight::get(), reassigned, pruned)
    }
}

impl WeightInfo for () {
    fn request() -> Weight {
        request(RocksDbWeight::get())
    }
    fn submit_claim() -> Weight {
        submit_claim(RocksDbWeight::get())
    }
    fn authorize_claim() -> Weight {
        authorize_claim(RocksDbWeight::get())
    }
    fn on_initialize(reassigned: u32, pruned: u32) -> Weight {
        on_initialize(RocksDbWeight::get(), reassigned, pruned)
    }
}
