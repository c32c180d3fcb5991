// SPDX-License-Identifier: Apache-2.0
//! The host functions and what stands behind them on the host.

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

/// The engine as the runtime sees it. Both functions answer at once. The guest owns every buffer.
#[runtime_interface]
pub trait Compute {
    /// Enqueue an encoded `JobSpec` of at most `MAX_JOB_BYTES`.
    ///
    /// 0 = accepted, or already waiting, running or done; below 0 = the code of a failure.
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
                Err(refusal) => crate::code::of_failure(refusal),
            },
            Err(_) => crate::code::of_failure(JobFailure::Invalid),
        }
    }

    /// Where a job stands.
    ///
    /// 0 and above = it is done, and as many bytes of `out` are its encoded `JobResult`; below 0 = the
    /// code of waiting, of an unknown job or of a failure. A result that does not fit into `out` is
    /// invalid.
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
                    Some(place) => {
                        place.copy_from_slice(&bytes);
                        bytes.len() as i64
                    }
                    None => crate::code::of_failure(JobFailure::Invalid),
                }
            }
        }
    }
}

/// What computes jobs. Every function answers at once; the work is done elsewhere.
#[cfg(not(substrate_runtime))]
pub trait Engine: Send + Sync {
    /// Take on a job. Harmless for one that waits, runs or is done; one that failed is tried again.
    ///
    /// Errors: `Busy` where too many jobs wait, `NoEngine` where nothing would run it.
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure>;

    /// Where the job stands.
    fn poll(&self, job: JobId) -> JobStatus;

    /// The bytes that a running generation has yielded so far: provisional, empty where there are none.
    fn partial(&self, job: JobId) -> Vec<u8>;
}

#[cfg(not(substrate_runtime))]
sp_externalities::decl_extension! {
    /// Gives the host functions their engine.
    pub struct ComputeExt(std::sync::Arc<dyn Engine>);
}

#[cfg(not(substrate_runtime))]
impl ComputeExt {
    /// The extension for an engine.
    pub fn new<E: Engine + 'static>(engine: std::sync::Arc<E>) -> Self {
        Self(engine)
    }
}
