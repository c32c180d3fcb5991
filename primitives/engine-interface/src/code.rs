// SPDX-License-Identifier: Apache-2.0
//! The result codes of the host functions: 0 and above mean success, below 0 is a status or a failure. Codes are never
//! reassigned, because nodes and runtimes of different versions exchange them.

use agorai_primitives::job::{JobFailure, JobStatus};

const PENDING: i64 = -1;
const UNKNOWN: i64 = -2;

const FAILURES: [(i64, JobFailure); 5] = [
    (-16, JobFailure::NoEngine),
    (-17, JobFailure::BlobUnavailable),
    (-18, JobFailure::Invalid),
    (-19, JobFailure::Interrupted),
    (-20, JobFailure::Busy),
];

/// Returns the code of a failure.
#[cfg(not(substrate_runtime))]
pub fn of_failure(failure: JobFailure) -> i64 {
    match failure {
        JobFailure::NoEngine => -16,
        JobFailure::BlobUnavailable => -17,
        JobFailure::Invalid => -18,
        JobFailure::Interrupted => -19,
        JobFailure::Busy => -20,
    }
}

/// Returns the code of a queued or running job.
#[cfg(not(substrate_runtime))]
pub const fn of_pending() -> i64 {
    PENDING
}

/// Returns the code of a job that the engine does not know.
#[cfg(not(substrate_runtime))]
pub const fn of_unknown() -> i64 {
    UNKNOWN
}

/// Returns the failure of a code. A code that this runtime does not know is `Interrupted`.
fn failure(code: i64) -> JobFailure {
    FAILURES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(JobFailure::Interrupted, |(_, failure)| *failure)
}

/// Decodes the result of `enqueue`.
pub fn enqueue_result(code: i64) -> Result<(), JobFailure> {
    if code >= 0 {
        Ok(())
    } else {
        Err(failure(code))
    }
}

/// Decodes a result of `poll` that is below 0.
pub fn status(code: i64) -> JobStatus {
    match code {
        PENDING => JobStatus::Pending,
        UNKNOWN => JobStatus::Unknown,
        code => JobStatus::Failed(failure(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_round_trip_through_their_codes() {
        for (code, failure) in FAILURES {
            assert_eq!(of_failure(failure), code);
            assert_eq!(enqueue_result(code), Err(failure));
            assert_eq!(status(code), JobStatus::Failed(failure));
        }
        assert_eq!(status(of_pending()), JobStatus::Pending);
        assert_eq!(status(of_unknown()), JobStatus::Unknown);
        assert_eq!(status(i64::MIN), JobStatus::Failed(JobFailure::Interrupted));
    }
}
