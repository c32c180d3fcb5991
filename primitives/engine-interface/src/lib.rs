// SPDX-License-Identifier: Apache-2.0
//! The runtime interface through which a pallet's offchain worker reaches the engine.
//!
//! Two host functions, `enqueue` and `poll`, that answer at once: the offchain worker of every imported
//! block holds a wasm instance while it runs, so it must never wait for a computation. A pallet calls
//! [`run`] on block after block until the result is there.
//!
//! | side | what it uses |
//! |---|---|
//! | pallet (wasm and native) | [`run`], [`poll`] |
//! | node | [`Engine`], [`ComputeExt`] in the offchain workers' extensions, [`HostFunctions`] in the executor |
//! | tests of pallets | [`testing::FakeEngine`] |
//!
//! Where there is no engine (no extension, as in block execution) every job is
//! `Failed(NoEngine)`; nothing here panics on what the other side says.
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

/// Where the job stands. It is enqueued when the engine does not know it, and once more when it has
/// failed, so that a later block finds another attempt; the failure is returned all the same.
pub fn run(spec: &JobSpec) -> JobStatus {
    let status = poll(spec.id());
    if !matches!(status, JobStatus::Unknown | JobStatus::Failed(_)) {
        return status;
    }
    match (enqueue(spec), status) {
        (Ok(()), JobStatus::Unknown) => JobStatus::Pending,
        (Ok(()), failed) => failed,
        (Err(refusal), _) => JobStatus::Failed(refusal),
    }
}

/// Where the job stands, without enqueueing it.
pub fn poll(job: JobId) -> JobStatus {
    let mut buffer = vec![0u8; MAX_JOB_BYTES as usize];
    let answer = interface::compute::poll(&job.0, &mut buffer);
    let Ok(length) = usize::try_from(answer) else {
        return code::status(answer);
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
    code::accepted(interface::compute::enqueue(&bytes))
}

#[cfg(test)]
mod tests;
