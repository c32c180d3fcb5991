// SPDX-License-Identifier: Apache-2.0
//! Weights of the calls, estimated from the computation and the storage accesses of each. Not benchmarked.

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
    /// Weight of `submit_receipt` with an answer that ends the claim.
    fn submit_receipt() -> Weight;
    /// Weight of authorizing a receipt: one claim is decoded and one signature verified.
    fn authorize_receipt() -> Weight;
    /// Weight of `reveal_secret`: all receipts are recomputed and the pallet of the job settles it.
    fn reveal_secret() -> Weight;
    /// Weight of authorizing a reveal.
    fn authorize_reveal() -> Weight;
    /// Weight of a block that processes `claims` due claims.
    fn due(claims: u32) -> Weight;
}

/// Proof size of a claim with the maximum number of members, in bytes.
const CLAIM_BYTES: u64 = 16_000;
/// Time that the pallet of the job needs for a verdict, in microseconds: a read of the job, dozens of transfers, a
/// slash.
const VERDICT_MICROS: u64 = 5_000;
/// Storage reads of a verdict.
const VERDICT_READS: u64 = 80;
/// Storage writes of a verdict.
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

/// Estimates with the database weights of the runtime.
pub struct EstimatedWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for EstimatedWeight<T> {
    fn submit_receipt() -> Weight {
        with_verdict(T::DbWeight::get(), 100)
    }
    fn authorize_receipt() -> Weight {
        estimate(T::DbWeight::get(), 150, 5, 0)
    }
    fn reveal_secret() -> Weight {
        with_verdict(T::DbWeight::get(), 300)
    }
    fn authorize_reveal() -> Weight {
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
    fn reveal_secret() -> Weight {
        with_verdict(RocksDbWeight::get(), 300)
    }
    fn authorize_reveal() -> Weight {
        estimate(RocksDbWeight::get(), 350, 5, 0)
    }
    fn due(claims: u32) -> Weight {
        due(RocksDbWeight::get(), claims)
    }
}
