// SPDX-License-Identifier: Apache-2.0
//! The offchain worker: answers the requests whose executor's key is in this node's keystore.
//!
//! Runs after every block and does not block: the engine computes in the background. It derives its work from the
//! state of the chain, so it submits a lost claim again and submits nothing for a claimed request.

use crate::{
    claim::{ClaimBody, CLAIM_DOMAIN},
    request::RequestStatus,
    Call, Config, OpenJobs, Pallet, RecordOf, Requests, LOG_TARGET,
};
use agorai_primitives::{
    job::{JobResult, JobSpec, JobStatus},
    RequestId,
};
use pallet_support::SignedReports;

impl<T: Config> Pallet<T> {
    /// Claims the answers that the engine has computed for local executors, and enqueues the jobs of the others.
    pub(crate) fn answer_requests() {
        let local = Self::local_members();
        if local.is_empty() {
            return;
        }
        for request in OpenJobs::<T>::iter_values() {
            let Some(record) = Requests::<T>::get(request) else {
                continue;
            };
            let RequestStatus::Waiting { executor, .. } = &record.status else {
                continue;
            };
            let Some((member, key)) = local.iter().find(|(account, _)| account == executor) else {
                continue;
            };
            let Some(body) = Self::computed_answer(request, &record) else {
                continue;
            };
            let message = Self::report(member, record.job, body);
            if let Err(refusal) = Self::check_claim(&message) {
                log::warn!(target: LOG_TARGET, "the engine's answer to request {request} is invalid: {refusal:?}");
                continue;
            }
            Self::send_report(CLAIM_DOMAIN, message, key, |message, signature| Call::submit_claim {
                message,
                signature,
            });
        }
    }

    /// The engine's answer if it is available; otherwise enqueues the job. A failed job is enqueued again until the
    /// request is reassigned.
    fn computed_answer(request: RequestId, record: &RecordOf<T>) -> Option<ClaimBody> {
        let spec = JobSpec::Generate(record.generate_spec(request));
        match agorai_engine_interface::run(&spec) {
            JobStatus::Done(JobResult::Generated { output, tokens, trace }) => Some(ClaimBody {
                attempt: record.attempt(),
                output: output.try_into().ok()?,
                tokens,
                claim: trace.claim(),
            }),
            JobStatus::Failed(failure) => {
                log::debug!(target: LOG_TARGET, "the job of request {request} failed: {failure:?}");
                None
            }
            JobStatus::Unknown | JobStatus::Pending => None,
            JobStatus::Done(_) => {
                log::warn!(target: LOG_TARGET, "the engine returned the result of another kind of job");
                None
            }
        }
    }
}
