// SPDX-License-Identifier: GPL-3.0-only
//! The protocol between a node and its worker process: JSON-RPC over WebSocket. Arguments and results are SCALE-encoded
//! in hexadecimal.
//!
//! | method | argument | result |
//! |---|---|---|
//! | `compute_enqueue` | `JobSpec` | `Result<(), JobFailure>` |
//! | `compute_status` | `Vec<JobId>`, at most [`MAX_JOBS`] | `Vec<WorkerJobStatus>`, one per job |
//! | `compute_missingBlobs` | | `Vec<BlobId>`, at most [`MAX_BLOBS`]: the blobs that jobs wait for |

use agorai_primitives::job::{JobFailure, JobResult, MAX_JOB_BYTES};
use codec::{Decode, DecodeAll, Encode};

/// Enqueues a job.
pub const ENQUEUE: &str = "compute_enqueue";
/// Returns the status of jobs.
pub const STATUS: &str = "compute_status";
/// Returns the blobs that jobs wait for.
pub const MISSING_BLOBS: &str = "compute_missingBlobs";

/// Maximum number of jobs in one status request.
pub const MAX_JOBS: usize = 16;
/// Maximum number of blobs in one response.
pub const MAX_BLOBS: usize = 64;
/// Maximum size of a message in bytes: exceeds the status of [`MAX_JOBS`] jobs in hexadecimal.
pub const MAX_MESSAGE: u32 = 4 << 20;

/// Status of a job in the worker process.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum WorkerJobStatus {
    /// Never enqueued, or its outcome was dropped.
    Unknown,
    /// Queued or running, with the provisional output.
    Pending(Vec<u8>),
    /// Completed.
    Done(JobResult),
    /// Failed.
    Failed(JobFailure),
}

impl WorkerJobStatus {
    /// Limits the size to that of the interface between runtime and engine: replaces a larger result by `Invalid` and
    /// truncates a larger provisional output.
    pub fn bounded(self) -> Self {
        match self {
            Self::Done(result) if result.encoded_size() > MAX_JOB_BYTES as usize => Self::Failed(JobFailure::Invalid),
            Self::Pending(mut partial) => {
                partial.truncate(MAX_JOB_BYTES as usize);
                Self::Pending(partial)
            }
            other => other,
        }
    }
}

/// Encodes a value in hexadecimal.
pub fn to_hex(value: &impl Encode) -> String {
    hex::encode(value.encode())
}

/// Decodes a value of at most `max_bytes` encoded bytes.
pub fn from_hex<T: Decode>(text: &str, max_bytes: usize) -> Option<T> {
    if text.len() > max_bytes.saturating_mul(2) {
        return None;
    }
    let bytes = hex::decode(text).ok()?;
    T::decode_all(&mut &bytes[..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{generate, generated};
    use agorai_primitives::job::JobSpec;

    #[test]
    fn specs_and_statuses_round_trip() {
        let spec = generate(1);
        assert_eq!(from_hex(&to_hex(&spec), 4096), Some(spec.clone()));
        assert_eq!(from_hex::<JobSpec>(&to_hex(&spec), 10), None);
        assert_eq!(from_hex::<JobSpec>("zz", 10), None);
        let statuses = vec![WorkerJobStatus::Done(generated(b"x")), WorkerJobStatus::Unknown];
        assert_eq!(from_hex(&to_hex(&statuses), 4096), Some(statuses));
    }

    #[test]
    fn result_is_invalid_when_it_exceeds_the_size_limit() {
        let large = generated(&vec![0; MAX_JOB_BYTES as usize]);
        let status = WorkerJobStatus::Done(large).bounded();
        assert_eq!(status, WorkerJobStatus::Failed(JobFailure::Invalid));
    }
}
