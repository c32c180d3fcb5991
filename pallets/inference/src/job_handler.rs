// SPDX-License-Identifier: Apache-2.0
//! The interface of this pallet to `verification`, which checks the claims.

use crate::{
    request::{ReassignReason, RequestStatus},
    Config, OpenJobs, Pallet, Requests, LOG_TARGET,
};
use agorai_primitives::{
    job::JobSpec,
    traits::{JobHandler, JobKind, Verdict},
    JobId, RequestId,
};

impl<T: Config> Pallet<T> {
    /// The job that answers a request; `None` if the request is unknown or removed.
    pub fn job_of(request: RequestId) -> Option<JobId> {
        Requests::<T>::get(request).map(|record| record.job)
    }
}

impl<T: Config> JobHandler<T::AccountId> for Pallet<T> {
    fn check_spec(kind: JobKind, job: JobId) -> Option<JobSpec> {
        if kind != JobKind::Inference {
            return None;
        }
        let request = OpenJobs::<T>::get(job)?;
        Requests::<T>::get(request)?.check_spec(request).map(JobSpec::Check)
    }

    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<T::AccountId>) {
        if kind != JobKind::Inference {
            return;
        }
        let open = OpenJobs::<T>::get(job).and_then(|request| Some((request, Requests::<T>::get(request)?)));
        let Some((request, record)) = open else {
            log::error!(target: LOG_TARGET, "verdict on job {job:?}, which has no open request");
            return;
        };
        let RequestStatus::Claimed {
            executor,
            output,
            tokens,
        } = record.status.clone()
        else {
            log::error!(target: LOG_TARGET, "verdict on request {request}, which has no claim");
            return;
        };
        match verdict {
            Verdict::Settled { checkers } => Self::settle(request, record, executor, (output, tokens), checkers),
            Verdict::Refused => Self::reassign(request, record, executor, ReassignReason::Refused),
            Verdict::Unresolved => Self::reassign(request, record, executor, ReassignReason::Unresolved),
        }
    }
}
