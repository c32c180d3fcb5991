// SPDX-License-Identifier: Apache-2.0
//! The host functions, and the trait of the engine behind them on the host.

#[cfg(not(substrate_runtime))]
use agorai_primitives::{
    job::{JobFailure, JobSpec, JobStatus, MAX_JOB_BYTES},
    JobId,
};
#[cfg(not(substrate_runtime))]
use codec::{DecodeAll, Encode};
#[cfg(not(substrate_runtime))]
use sp_externalities::ExternalitiesExt as _;
use sp_runtime_interface::{
    pass_by::{PassFatPointerAndRead, PassFatPointerAndWrite, PassPointerAndRead},
    runtime_interface,
};

/// The host functions of the engine. They return immediately. The guest owns all buffers.
#[runtime_interface]
pub trait Compute {
    /// Enqueues an encoded `JobSpec` of at most `MAX_JOB_BYTES` bytes.
    ///
    /// Returns 0 if the job is accepted or already queued, running or done, else the code of a failure.
    fn enqueue(&mut self, spec: PassFatPointerAndRead<&[u8]>) -> i64 {
        let Some(engine) = self.extension::<ComputeExt>() else {
            return crate::code::of_failure(JobFailure::NoEngine);
        };
        if spec.len() > MAX_JOB_BYTES as usize {
            return crate::code::of_failure(JobFailure::Invalid);
        }
        match JobSpec::decode_all(&mut &spec[..]) {
            Ok(spec) => match engine.enqueue(spec) {
                Ok(()) => 0,
                Err(failure) => crate::code::of_failure(failure),
            },
            Err(_) => crate::code::of_failure(JobFailure::Invalid),
        }
    }

    /// Returns the status of a job.
    ///
    /// 0 or above: the job is done, and the returned number of bytes of `out` is its encoded `JobResult`. Below 0: the
    /// code of a pending job, an unknown job or a failure. A result that does not fit into `out` is an `Invalid`
    /// failure.
    fn poll(&mut self, job: PassPointerAndRead<&[u8; 32], 32>, out: PassFatPointerAndWrite<&mut [u8]>) -> i64 {
        let Some(engine) = self.extension::<ComputeExt>() else {
            return crate::code::of_failure(JobFailure::NoEngine);
        };
        match engine.poll(JobId::from(*job)) {
            JobStatus::Pending => crate::code::of_pending(),
            JobStatus::Unknown => crate::code::of_unknown(),
            JobStatus::Failed(failure) => crate::code::of_failure(failure),
            JobStatus::Done(result) => {
                let bytes = result.encode();
                match out.get_mut(..bytes.len()) {
                    Some(target) => {
                        target.copy_from_slice(&bytes);
                        bytes.len() as i64
                    }
                    None => crate::code::of_failure(JobFailure::Invalid),
                }
            }
        }
    }
}

/// An engine that computes jobs in the background. All functions return immediately.
#[cfg(not(substrate_runtime))]
pub trait Engine: Send + Sync {
    /// Enqueues a job. Has no effect if the job is queued, running or done; retries a failed job.
    ///
    /// Errors: `Busy` if the queue is full, `NoEngine` if nothing can run the job.
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure>;

    /// Returns the status of a job.
    fn poll(&self, job: JobId) -> JobStatus;

    /// Returns the bytes that a running generation has produced so far. They are provisional, and empty for other jobs.
    fn partial(&self, job: JobId) -> Vec<u8>;
}

#[cfg(not(substrate_runtime))]
sp_externalities::decl_extension! {
    /// The externality that provides the engine to the host functions.
    pub struct ComputeExt(std::sync::Arc<dyn Engine>);
}

#[cfg(not(substrate_runtime))]
impl ComputeExt {
    /// Returns the externality of an engine.
    pub fn new<E: Engine + 'static>(engine: std::sync::Arc<E>) -> Self {
        Self(engine)
    }
}
