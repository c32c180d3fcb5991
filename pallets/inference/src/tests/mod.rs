// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one for each concept and hook.

mod deadlines;
mod fees;
mod offchain;
mod on_verdict;
mod record;
mod request;
mod retention;
mod submit_claim;
