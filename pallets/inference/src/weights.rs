// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls, estimated from what each computes and touches; to be replaced by measured ones.

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
    /// `request`: a hold, a draw among all members, the hash of the prompt.
    fn request() -> Weight;
    /// `submit_claim`: the record and a new claim with all members are written.
    fn submit_claim() -> Weight;
    /// Checking a claim message: a record is decoded, an output hashed, a signature verified.
    fn authorize_claim() -> Weight;
    /// A block in which `late` requests are passed on and `forgotten` ones removed.
    fn on_initialize(late: u32, forgotten: u32) -> Weight;
}

/// A record with its prompt, or with an output too.
const RECORD_BYTES: u64 = 26_000;
/// What reading the members costs: their bonds and keys.
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

fn on_initialize(db: RuntimeDbWeight, late: u32, forgotten: u32) -> Weight {
    let late_one = estimate(db, 250, MEMBER_READS.saturating_add(6), 6);
    let forgotten_one = estimate(db, 30, 2, 2);
    late_one
        .saturating_mul(late.into())
        .saturating_add(forgotten_one.saturating_mul(forgotten.into()))
        .saturating_add(db.reads_writes(4, 3))
}

/// Estimates with the runtime's database weights.
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
    fn on_initialize(late: u32, forgotten: u32) -> Weight {
        on_initialize(T::DbWeight::get(), late, forgotten)
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
    fn on_initialize(late: u32, forgotten: u32) -> Weight {
        on_initialize(RocksDbWeight::get(), late, forgotten)
    }
}
