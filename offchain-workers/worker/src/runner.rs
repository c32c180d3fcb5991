// SPDX-License-Identifier: GPL-3.0-only
//! The interface between the job queue and the code that computes a job.

use agorai_engine::Progress;
use agorai_primitives::job::{JobFailure, JobResult, JobSpec};

/// Observes and cancels a running job from other threads.
pub trait JobProgress: Send + Sync + 'static {
    /// Returns the provisional output so far, in the encoding of the final output.
    fn partial(&self) -> Vec<u8>;
    /// Asks the job to stop.
    fn cancel(&self);
}

/// Computes jobs, several concurrently, each on the calling thread.
pub trait JobRunner: Send + Sync + 'static {
    /// The progress of a running job.
    type Progress: JobProgress + Default;

    /// Computes a job.
    fn run(&self, spec: &JobSpec, progress: &Self::Progress) -> Result<JobResult, JobFailure>;
}

impl JobProgress for Progress {
    fn partial(&self) -> Vec<u8> {
        Progress::partial(self).output
    }

    fn cancel(&self) {
        Progress::cancel(self);
    }
}
