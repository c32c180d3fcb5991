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
    /// `submit_receipt` with an answer that ends the claim.
    fn submit_receipt() -> Weight;
    /// Checking a receipt message: a claim is decoded, a signature verified.
    fn authorize_receipt() -> Weight;
    /// `submit_opening`: all receipts are recomputed, the job's pallet pays.
    fn submit_opening() -> Weight;
    /// Checking an opening message.
    fn authorize_opening() -> Weight;
    /// A block in which something is due for `claims` claims.
    fn due(claims: u32) -> Weight;
}

/// A claim with all its members.
const CLAIM_BYTES: u64 = 16_000;
/// What the job's pallet does when a claim ends: reading the job, some dozens of transfers, a slash.
const VERDICT_MICROS: u64 = 5_000;
const VERDICT_READS: u64 = 80;
const VERDICT_WRITES: u64 = 80;

fn estimate(db: RuntimeDbWeight, micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(WEIGHT_REF_TIME_PER_MICROS), CLAIM_BYTES)
        .saturating_add(db.reads_writes(reads, writes))
}

fn with_verdict(db: RuntimeDbWeight, micros: u64) -> Weight {
    let micros = micros.saturating_add(VERDICT_MICROS);
    estimate(
        db,
        micros,
        VERDICT_READS.saturating_add(4),
        VERDICT_WRITES.saturating_add(4),
    )
}

fn due(db: RuntimeDbWeight, claims: u32) -> Weight {
    with_verdict(db, 100)
        .saturating_mul(claims.into())
        .saturating_add(db.reads_writes(1, 0))
}

/// Estimates with the runtime's database weights.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn submit_receipt() -> Weight {
        with_verdict(T::DbWeight::get(), 100)
    }
    fn authorize_receipt() -> Weight {
        estimate(T::DbWeight::get(), 150, 5, 0)
    }
    fn submit_opening() -> Weight {
        with_verdict(T::DbWeight::get(), 300)
    }
    fn authorize_opening() -> Weight {
        estimate(T::DbWeight::get(), 350, 5, 0)
    }
    fn due(claims: u32) -> Weight {
        due(T::DbWeight::get(), claims)
    }
}

impl WeightInfo for () {
    fn submit_receipt() -> Weight {
        with_verdict(RocksDbWeight::get(), 100)
    }
    fn authorize_receipt() -> Weight {
        estimate(RocksDbWeight::get(), 150, 5, 0)
    }
    fn submit_opening() -> Weight {
        with_verdict(RocksDbWeight::get(), 300)
    }
    fn authorize_opening() -> Weight {
        estimate(RocksDbWeight::get(), 350, 5, 0)
    }
    fn due(claims: u32) -> Weight {
        due(RocksDbWeight::get(), claims)
    }
}
