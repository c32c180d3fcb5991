// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one per thing that happens by itself.

mod deadlines;
mod fees;
mod offchain;
mod pruning;
mod request;
mod submit_claim;
mod types;
mod verdict;
