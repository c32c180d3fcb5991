// SPDX-License-Identifier: Apache-2.0
//! One file per call; the pure modules and the offchain worker have theirs.

mod claim;
mod deadlines;
mod offchain;
mod open;
mod submit_opening;
mod submit_receipt;
