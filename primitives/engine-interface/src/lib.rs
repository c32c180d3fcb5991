// SPDX-License-Identifier: Apache-2.0
//! The runtime interface between the offchain workers of the pallets and the engine of the node.
//!
//! It has two host functions, `enqueue` and `poll`, which return immediately: an offchain worker runs for every imported
//! block and holds a wasm instance while it runs, so it must not wait for a computation. A pallet calls [`run`] in every
//! block until the result is available.
//!
//! | user | items |
//! |---|---|
//! | pallet (wasm and native) | [`run`], [`poll`] |
//! | node | [`Engine`], [`ComputeExt`] in the offchain workers' extensions, [`HostFunctions`] in the executor |
//! | pallet tests | [`testing::FakeEngine`] |
//!
//! Without an engine (no extension, as in block execution) every job is `Failed(NoEngine)`. No function panics on data
//! from the other side.
#![cfg_attr(substrate_runtime, no_std)]

extern crate alloc;

mod code;
mod interface;
#[cfg(not(substrate_runtime))]
pub mod testing;

use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus, MAX_JOB_BYTES},
    JobId,
};
use alloc::vec;
use codec::{DecodeAll, Encode};

#[cfg(not(substrate_runtime))]
pub use interface::{compute::HostFunctions, ComputeExt, Engine};

/// Returns the status of a job and enqueues the job if the engine does not know it. A failed job is enqueued again, so
/// that a later block sees the result of a retry; the failure is returned nevertheless.
pub fn run(spec: &JobSpec) -> JobStatus {
    let status = poll(spec.id());
    if !matches!(status, JobStatus::Unknown | JobStatus::Failed(_)) {
        return status;
    }
    match (enqueue(spec), status) {
        (Ok(()), JobStatus::Unknown) => JobStatus::Pending,
        (Ok(()), failed) => failed,
        (Err(failure), _) => JobStatus::Failed(failure),
    }
}

/// Returns the status of a job without enqueueing it.
pub fn poll(job: JobId) -> JobStatus {
    let mut buffer = vec![0u8; MAX_JOB_BYTES as usize];
    let code = interface::compute::poll(&job.0, &mut buffer);
    let Ok(length) = usize::try_from(code) else {
        return code::status(code);
    };
    let result = buffer
        .get(..length)
        .and_then(|mut bytes| JobResult::decode_all(&mut bytes).ok());
    match result {
        Some(result) => JobStatus::Done(result),
        None => JobStatus::Failed(JobFailure::Invalid),
    }
}

fn enqueue(spec: &JobSpec) -> Result<(), JobFailure> {
    let bytes = spec.encode();
    if bytes.len() > MAX_JOB_BYTES as usize {
        return Err(JobFailure::Invalid);
    }
    code::enqueue_result(interface::compute::enqueue(&bytes))
}

#[cfg(test)]
mod tests;
