// SPDX-License-Identifier: Apache-2.0
//! What the numbers mean that cross the interface: 0 and above are success, below 0 is a code.
//! A number is never given another meaning: nodes and runtimes of different ages talk through them.

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

/// The number of a failure.
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

/// The number of a job that waits or runs.
#[cfg(not(substrate_runtime))]
pub const fn of_pending() -> i64 {
    PENDING
}

/// The number of a job that the engine does not know.
#[cfg(not(substrate_runtime))]
pub const fn of_unknown() -> i64 {
    UNKNOWN
}

/// The failure behind a number; one that this runtime does not know is an engine that failed.
fn failure(code: i64) -> JobFailure {
    FAILURES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(JobFailure::Interrupted, |(_, failure)| *failure)
}

/// The answer to `enqueue`.
pub fn accepted(answer: i64) -> Result<(), JobFailure> {
    if answer >= 0 {
        Ok(())
    } else {
        Err(failure(answer))
    }
}

/// The answer to `poll` where it is below 0.
pub fn status(answer: i64) -> JobStatus {
    match answer {
        PENDING => JobStatus::Pending,
        UNKNOWN => JobStatus::Unknown,
        code => JobStatus::Failed(failure(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_survive_their_numbers() {
        for (code, failure) in FAILURES {
            assert_eq!(of_failure(failure), code);
            assert_eq!(accepted(code), Err(failure));
            assert_eq!(status(code), JobStatus::Failed(failure));
        }
        assert_eq!(status(of_pending()), JobStatus::Pending);
        assert_eq!(status(of_unknown()), JobStatus::Unknown);
        assert_eq!(status(i64::MIN), JobStatus::Failed(JobFailure::Interrupted));
    }
}
