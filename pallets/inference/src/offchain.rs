// SPDX-License-Identifier: Apache-2.0
//! What a validator does off the chain: answer the requests for which one of its keys is the executor's.
//!
//! Runs after every block and never waits. Who has to answer is read from the chain, so a lost claim is
//! made again and nothing is sent for what is claimed.

use crate::{
    types::{ClaimBody, RequestStatus},
    Call, Config, OpenJobs, Pallet, RecordOf, Requests, CLAIM_DOMAIN, LOG_TARGET,
};
use agorai_primitives::{
    crypto::local_members,
    job::{JobResult, JobSpec, JobStatus},
    message::Message,
    traits::SessionMembers,
    RequestId,
};
use alloc::vec::Vec;
use frame_system::offchain::SubmitTransaction;

impl<T: Config> Pallet<T> {
    /// Answers what local members are asked.
    pub(crate) fn answer_requests() {
        let members: Vec<_> = T::Members::members()
            .into_iter()
            .map(|member| (member.account, member.key))
            .collect();
        let local = local_members(&members);
        if local.is_empty() {
            return;
        }
        let session = T::Members::session();
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
            let Some(body) = Self::answer(request, &record) else {
                continue;
            };
            let message = Message {
                member: member.clone(),
                session,
                job: record.job,
                body,
            };
            if let Err(refusal) = Self::claimed_request(&message) {
                log::warn!(target: LOG_TARGET, "the engine's answer is no claim: {refusal:?}");
                continue;
            }
            if let Some(signature) = message.sign(CLAIM_DOMAIN, &Self::genesis(), key) {
                Self::send(Call::submit_claim { message, signature });
            }
        }
    }

    /// The engine's answer, once it is there. A failure is tried again until the request is passed on.
    fn answer(request: RequestId, record: &RecordOf<T>) -> Option<ClaimBody> {
        let spec = JobSpec::Generate(record.generate(request));
        match agorai_engine_interface::run(&spec) {
            JobStatus::Done(JobResult::Generated { output, tokens, trace }) => Some(ClaimBody {
                attempt: record.attempt(),
                output: output.try_into().ok()?,
                tokens,
                claim: trace.claim(),
            }),
            JobStatus::Failed(failure) => {
                log::debug!(target: LOG_TARGET, "request {request} is not answered: {failure:?}");
                None
            }
            JobStatus::Unknown | JobStatus::Pending => None,
            JobStatus::Done(_) => {
                log::warn!(target: LOG_TARGET, "the engine has answered another question");
                None
            }
        }
    }

    fn send(call: Call<T>) {
        let transaction = T::create_authorized_transaction(call.into());
        // Refused where the pool has it from the block before.
        if SubmitTransaction::<T, Call<T>>::submit_transaction(transaction).is_err() {
            log::debug!(target: LOG_TARGET, "the pool did not take a claim");
        }
    }
}
