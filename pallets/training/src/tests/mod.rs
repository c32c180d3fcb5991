// SPDX-License-Identifier: Apache-2.0
mod cancel_plan;
mod create_plan;
mod offchain;
mod plan;
mod round;
mod submit_audit;
mod submit_claim;
mod submit_contribution;
mod submit_enrol;
