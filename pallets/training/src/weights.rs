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
    /// Weight of a block for a number of running plans.
    fn tick(plans: u32) -> Weight;
    /// Weight of `create_plan`.
    fn create_plan() -> Weight;
    /// Weight of `cancel_plan`.
    fn cancel_plan() -> Weight;
    /// Weight of `submit_enrol`.
    fn submit_enrol() -> Weight;
    /// Weight of authorizing an enrolment.
    fn authorize_enrol() -> Weight;
    /// Weight of `submit_contribution`.
    fn submit_contribution() -> Weight;
    /// Weight of authorizing a contribution.
    fn authorize_contribution() -> Weight;
    /// Weight of `submit_audit`.
    fn submit_audit() -> Weight;
    /// Weight of authorizing an audit.
    fn authorize_audit() -> Weight;
    /// Weight of `submit_claim`.
    fn submit_claim() -> Weight;
    /// Weight of authorizing a claim.
    fn authorize_claim() -> Weight;
}

/// Upper bound of an encoded plan and round, in bytes.
const PROOF_BYTES: u64 = 16_000;
/// Upper bound of an encoded corpus, in bytes.
const CORPUS_BYTES: u64 = 48_000;
/// Time to decode, step and encode a round, in microseconds.
const STEP_MICROS: u64 = 60;
/// Time to verify an sr25519 signature, in microseconds.
const SIGNATURE_MICROS: u64 = 60;

fn estimate(db: RuntimeDbWeight, micros: u64, bytes: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(WEIGHT_REF_TIME_PER_MICROS), bytes)
        .saturating_add(db.reads_writes(reads, writes))
}

/// Upper bound for a block in which every round ends: 32 workers are paid and 32 contributions removed.
fn tick(db: RuntimeDbWeight, plans: u32) -> Weight {
    let per_plan = estimate(db, 1_500, CORPUS_BYTES.saturating_add(160_000), 180, 180);
    per_plan
        .saturating_mul(u64::from(plans))
        .saturating_add(estimate(db, 50, PROOF_BYTES, 3, 0))
}

macro_rules! estimates {
    ($db:expr) => {
        fn tick(plans: u32) -> Weight {
            tick($db, plans)
        }
        fn create_plan() -> Weight {
            // Eight datasets with 256 shards each.
            estimate($db, 600, CORPUS_BYTES.saturating_add(128_000), 20, 8)
        }
        fn cancel_plan() -> Weight {
            estimate($db, 150, PROOF_BYTES, 6, 70)
        }
        fn submit_enrol() -> Weight {
            estimate($db, STEP_MICROS, PROOF_BYTES, 2, 2)
        }
        fn authorize_enrol() -> Weight {
            estimate($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_contribution() -> Weight {
            estimate($db, STEP_MICROS, PROOF_BYTES, 2, 3)
        }
        fn authorize_contribution() -> Weight {
            estimate($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_audit() -> Weight {
            // An audit that decides can slash every auditor.
            estimate($db, 300, PROOF_BYTES, 130, 130)
        }
        fn authorize_audit() -> Weight {
            estimate($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_claim() -> Weight {
            // Opening the claim writes every member.
            estimate($db, 200, PROOF_BYTES, 12, 6)
        }
        fn authorize_claim() -> Weight {
            estimate($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
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
