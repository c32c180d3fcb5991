// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one each for whole plans, the round as a state machine, and the offchain worker.

mod cancel_plan;
mod create_plan;
mod offchain;
mod plan_lifecycle;
mod round;
mod submit_audit;
mod submit_claim;
mod submit_contribution;
mod submit_enrol;
