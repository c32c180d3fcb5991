// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one each for the state machine, deadlines and the offchain worker.

mod claim;
mod deadlines;
mod offchain;
mod open;
mod reveal_secret;
mod submit_receipt;
