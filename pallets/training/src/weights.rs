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
    /// A block, by the number of plans that run.
    fn tick(plans: u32) -> Weight;
    /// `create_plan`
    fn create_plan() -> Weight;
    /// `cancel_plan`
    fn cancel_plan() -> Weight;
    /// `submit_enrol`
    fn submit_enrol() -> Weight;
    /// Checking an enrolment.
    fn authorize_enrol() -> Weight;
    /// `submit_contribution`
    fn submit_contribution() -> Weight;
    /// Checking a contribution.
    fn authorize_contribution() -> Weight;
    /// `submit_audit`
    fn submit_audit() -> Weight;
    /// Checking an audit.
    fn authorize_audit() -> Weight;
    /// `submit_claim`
    fn submit_claim() -> Weight;
    /// Checking a claim.
    fn authorize_claim() -> Weight;
}

/// A plan and a round with all its workers.
const PROOF_BYTES: u64 = 16_000;
/// A corpus.
const CORPUS_BYTES: u64 = 48_000;
/// Decoding, stepping and encoding a round.
const STEP_MICROS: u64 = 60;
/// Verifying an sr25519 signature.
const SIGNATURE_MICROS: u64 = 60;

fn touching(db: RuntimeDbWeight, micros: u64, bytes: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(WEIGHT_REF_TIME_PER_MICROS), bytes)
        .saturating_add(db.reads_writes(reads, writes))
}

/// The worst block of a plan: its round ends, 32 workers are paid, 32 contributions go.
fn tick(db: RuntimeDbWeight, plans: u32) -> Weight {
    let one = touching(db, 1_500, CORPUS_BYTES.saturating_add(160_000), 180, 180);
    one.saturating_mul(u64::from(plans))
        .saturating_add(touching(db, 50, PROOF_BYTES, 3, 0))
}

macro_rules! estimates {
    ($db:expr) => {
        fn tick(plans: u32) -> Weight {
            tick($db, plans)
        }
        fn create_plan() -> Weight {
            // Eight datasets of 256 shards each.
            touching($db, 600, CORPUS_BYTES.saturating_add(128_000), 20, 8)
        }
        fn cancel_plan() -> Weight {
            touching($db, 150, PROOF_BYTES, 6, 70)
        }
        fn submit_enrol() -> Weight {
            touching($db, STEP_MICROS, PROOF_BYTES, 2, 2)
        }
        fn authorize_enrol() -> Weight {
            touching($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_contribution() -> Weight {
            touching($db, STEP_MICROS, PROOF_BYTES, 2, 3)
        }
        fn authorize_contribution() -> Weight {
            touching($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_audit() -> Weight {
            // The last audit may slash every accuser.
            touching($db, 300, PROOF_BYTES, 130, 130)
        }
        fn authorize_audit() -> Weight {
            touching($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
        }
        fn submit_claim() -> Weight {
            // Opening the claim notes every member.
            touching($db, 200, PROOF_BYTES, 12, 6)
        }
        fn authorize_claim() -> Weight {
            touching($db, STEP_MICROS + SIGNATURE_MICROS, PROOF_BYTES, 6, 0)
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
