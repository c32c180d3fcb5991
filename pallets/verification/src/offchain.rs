// SPDX-License-Identifier: Apache-2.0
//! What a validator does off the chain: check the claims for which one of its keys is asked, and open S
//! when that settles a claim.
//!
//! Runs after every block and never waits. What is said on the chain is read from the chain, so a lost
//! transaction is made again and nothing is sent for what is done.

use crate::{
    claim::{Answer, ClaimInput},
    types::Report,
    Call, Claims, Config, OpenClaimOf, Pallet, LOG_TARGET, OPENING_DOMAIN, RECEIPT_DOMAIN,
};
use agorai_primitives::{
    crypto::local_members,
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    message::Message,
    receipt::{receipt, Trace},
    traits::{JobHandler, SessionMembers},
    CommitteeId, JobId, SessionIndex,
};
use alloc::vec::Vec;
use frame_support::traits::Get;
use frame_system::{offchain::SubmitTransaction, pallet_prelude::BlockNumberFor};
use sp_core::H256;
use sp_runtime::traits::Saturating;

/// What this node knows about a job.
enum View {
    /// What an honest executor would have claimed; `None` where the claimed output is impossible.
    Computed(Option<Trace>),
    /// It could not be computed, so far.
    Failed(JobFailure),
    /// Not yet.
    Waiting,
}

impl<T: Config> Pallet<T> {
    /// Checks what local members are asked about.
    pub(crate) fn check_claims(now: BlockNumberFor<T>) {
        let members: Vec<_> = T::Members::members()
            .into_iter()
            .map(|member| (member.account, member.key))
            .collect();
        let local = local_members(&members);
        if local.is_empty() {
            return;
        }
        let session = T::Members::session();
        for (job, open) in Claims::<T>::iter().filter(|(_, open)| open.claim.is_asking()) {
            Self::check(now, session, job, &open, &local);
        }
    }

    fn check(
        now: BlockNumberFor<T>,
        session: SessionIndex,
        job: JobId,
        open: &OpenClaimOf<T>,
        local: &[(T::AccountId, CommitteeId)],
    ) {
        let owing: Vec<_> = local.iter().filter(|(who, _)| open.claim.owes(who)).collect();
        let Some(spec) = T::Jobs::check_spec(open.kind, job) else {
            return;
        };
        let view = if owing.is_empty() {
            known(&spec)
        } else {
            view(agorai_engine_interface::run(&spec))
        };
        let late = now.saturating_add(T::GiveUpBlocks::get()) >= open.due;
        for (account, key) in owing {
            if let Some(answer) = answer(&view, open, account, job, late) {
                let claim = open.claim.id();
                let body = Report { claim, answer };
                let message = Message {
                    member: account.clone(),
                    session,
                    job,
                    body,
                };
                if let Some(signature) = message.sign(RECEIPT_DOMAIN, &Self::genesis(), key) {
                    Self::send(Call::submit_receipt { message, signature });
                }
            }
        }
        if let (View::Computed(Some(trace)), Some((account, key))) = (view, local.first()) {
            let secret = trace.secret;
            let opening = ClaimInput::Opened {
                job: &job,
                secret: &secret,
            };
            if open.claim.clone().step(opening).is_ok() {
                let message = Message {
                    member: account.clone(),
                    session,
                    job,
                    body: secret,
                };
                if let Some(signature) = message.sign(OPENING_DOMAIN, &Self::genesis(), key) {
                    Self::send(Call::submit_opening { message, signature });
                }
            }
        }
    }

    fn send(call: Call<T>) {
        let transaction = T::create_authorized_transaction(call.into());
        // Refused where the pool has it from the block before.
        if SubmitTransaction::<T, Call<T>>::submit_transaction(transaction).is_err() {
            log::debug!(target: LOG_TARGET, "the pool did not take a report");
        }
    }
}

/// What a member has to say now, if anything.
fn answer<AccountId: Clone + PartialEq + codec::Encode, BlockNumber>(
    view: &View,
    open: &crate::types::OpenClaim<AccountId, BlockNumber>,
    account: &AccountId,
    job: JobId,
    late: bool,
) -> Option<Answer> {
    match view {
        View::Computed(Some(trace)) if trace.claim() == open.claim.digest => {
            Some(Answer::Agree(receipt(account, &job, &trace.secret)))
        }
        View::Computed(Some(trace)) => Some(Answer::Differ {
            result: trace.result,
            root: trace.root,
        }),
        View::Computed(None) => Some(Answer::Differ {
            result: H256::zero(),
            root: H256::zero(),
        }),
        View::Failed(failure) if late => Some(Answer::Unable(*failure)),
        View::Failed(_) | View::Waiting => None,
    }
}

/// What is known without computing anything. The executor of a generation has made it, not checked it.
fn known(spec: &JobSpec) -> View {
    match (view(agorai_engine_interface::poll(spec.id())), spec) {
        (View::Computed(trace), _) => View::Computed(trace),
        (_, JobSpec::Check(check)) => {
            let generate = JobSpec::Generate(check.generate.clone());
            view(agorai_engine_interface::poll(generate.id()))
        }
        (other, _) => other,
    }
}

fn view(status: JobStatus) -> View {
    match status {
        JobStatus::Unknown | JobStatus::Pending => View::Waiting,
        JobStatus::Failed(failure) => View::Failed(failure),
        JobStatus::Done(result) => match result {
            JobResult::Checked { trace } => View::Computed(trace),
            JobResult::Generated { trace, .. }
            | JobResult::Scored { trace, .. }
            | JobResult::Aggregated { trace, .. } => View::Computed(Some(trace)),
            // The engine has answered another question.
            JobResult::Trained(_) | JobResult::Audited { .. } => View::Failed(JobFailure::Invalid),
        },
    }
}
