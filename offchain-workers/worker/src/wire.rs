// SPDX-License-Identifier: GPL-3.0-only
//! What node and worker process say to each other: JSON-RPC over WebSocket, whose arguments and results
//! are SCALE in hexadecimal digits.
//!
//! | method | argument | result |
//! |---|---|---|
//! | `compute_enqueue` | `JobSpec` | `Result<(), JobFailure>` |
//! | `compute_standing` | `Vec<JobId>`, at most [`MOST_JOBS`] | `Vec<Standing>`, one for each |
//! | `compute_wanted` | | `Vec<BlobId>`: blobs that jobs wait for |

use agorai_primitives::job::{JobFailure, JobResult, MAX_JOB_BYTES};
use codec::{Decode, DecodeAll, Encode};

/// Take on a job.
pub const ENQUEUE: &str = "compute_enqueue";
/// Where jobs stand.
pub const STANDING: &str = "compute_standing";
/// Which blobs jobs wait for.
pub const WANTED: &str = "compute_wanted";

/// Jobs in one question.
pub const MOST_JOBS: usize = 16;
/// Blobs in one answer.
pub const MOST_WANTED: usize = 64;
/// Most bytes of a message: the standing of [`MOST_JOBS`] jobs in hexadecimal digits, with room to spare.
pub const MAX_MESSAGE: u32 = 4 << 20;

/// Where a job stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Standing {
    /// Never heard of, or forgotten.
    Unknown,
    /// Waiting or running, with its provisional output.
    Pending(Vec<u8>),
    /// Done.
    Done(JobResult),
    /// Failed.
    Failed(JobFailure),
}

impl Standing {
    /// A result that would not fit through the host interface is invalid.
    pub fn bounded(self) -> Self {
        match self {
            Standing::Done(result) if result.encoded_size() > MAX_JOB_BYTES as usize => {
                Standing::Failed(JobFailure::Invalid)
            }
            Standing::Pending(mut partial) => {
                partial.truncate(MAX_JOB_BYTES as usize);
                Standing::Pending(partial)
            }
            other => other,
        }
    }
}

/// As text.
pub fn to_text(value: &impl Encode) -> String {
    hex::encode(value.encode())
}

/// From text of at most `most` bytes, or `None`.
pub fn from_text<T: Decode>(text: &str, most: usize) -> Option<T> {
    if text.len() > most.saturating_mul(2) {
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
    fn specs_and_standings_survive_the_wire() {
        let spec = generate(1);
        assert_eq!(from_text(&to_text(&spec), 4096), Some(spec.clone()));
        assert_eq!(from_text::<JobSpec>(&to_text(&spec), 10), None);
        assert_eq!(from_text::<JobSpec>("zz", 10), None);
        let standing = vec![Standing::Done(generated(b"x")), Standing::Unknown];
        assert_eq!(from_text(&to_text(&standing), 4096), Some(standing));
    }

    #[test]
    fn result_is_invalid_when_it_does_not_fit() {
        let large = generated(&vec![0; MAX_JOB_BYTES as usize]);
        let standing = Standing::Done(large).bounded();
        assert_eq!(standing, Standing::Failed(JobFailure::Invalid));
    }
}
