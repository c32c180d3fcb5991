// SPDX-License-Identifier: Apache-2.0
//! The offchain worker: checks the claims to which local members are assigned, and reveals the trace secret when that
//! settles a claim.
//!
//! It runs after every block and never blocks. It derives what to submit from the state of the chain alone, so a
//! lost transaction is submitted again, and nothing is submitted twice once it is included.

use crate::{
    claim::{Answer, ClaimInput},
    Call, Claims, Config, OpenClaimOf, Pallet, ReceiptBody, RECEIPT_DOMAIN, REVEAL_DOMAIN,
};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    receipt::{receipt, Trace},
    traits::JobHandler,
    CommitteeId, JobId,
};
use alloc::vec::Vec;
use frame_support::traits::Get;
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_support::SignedReports;
use sp_core::H256;
use sp_runtime::traits::Saturating;

/// The state of a job in the engine of this node.
enum Knowledge {
    /// The trace that an honest executor claims; `None` if the job cannot yield the claimed output.
    Computed(Option<Trace>),
    /// The last attempt to compute the job failed.
    Failed(JobFailure),
    /// The job is not computed yet.
    Pending,
}

impl<T: Config> Pallet<T> {
    /// Checks the claims to which local members are assigned.
    pub(crate) fn check_claims(now: BlockNumberFor<T>) {
        let local = Self::local_members();
        if local.is_empty() {
            return;
        }
        for (job, open) in Claims::<T>::iter().filter(|(_, open)| open.claim.accepts_answers()) {
            Self::check_claim(now, job, &open, &local);
        }
    }

    fn check_claim(now: BlockNumberFor<T>, job: JobId, open: &OpenClaimOf<T>, local: &[(T::AccountId, CommitteeId)]) {
        let Some(spec) = T::Jobs::check_spec(open.kind, job) else {
            return;
        };
        let assigned: Vec<_> = local.iter().filter(|(who, _)| open.claim.must_answer(who)).collect();
        let knowledge = if assigned.is_empty() {
            known_result(&spec)
        } else {
            knowledge(agorai_engine_interface::run(&spec))
        };
        let report_failure = now.saturating_add(T::FailureReportPeriod::get()) >= open.due;
        for (account, key) in assigned {
            if let Some(answer) = answer::<T>(&knowledge, open, account, job, report_failure) {
                let claim = open.claim.id();
                let message = Self::report(account, job, ReceiptBody { claim, answer });
                Self::send_report(RECEIPT_DOMAIN, message, key, |message, signature| {
                    Call::submit_receipt { message, signature }
                });
            }
        }
        if let (Knowledge::Computed(Some(trace)), Some((account, key))) = (knowledge, local.first()) {
            let secret = trace.secret;
            let reveal = ClaimInput::Revealed {
                job: &job,
                secret: &secret,
            };
            if open.claim.clone().step(reveal).is_ok() {
                let message = Self::report(account, job, secret);
                Self::send_report(REVEAL_DOMAIN, message, key, |message, signature| Call::reveal_secret {
                    message,
                    signature,
                });
            }
        }
    }
}

/// Returns the answer of a member, or `None` while the job is not computed. A failure is an answer only if
/// `report_failure` is set.
fn answer<T: Config>(
    knowledge: &Knowledge,
    open: &OpenClaimOf<T>,
    account: &T::AccountId,
    job: JobId,
    report_failure: bool,
) -> Option<Answer> {
    match knowledge {
        Knowledge::Computed(Some(trace)) if trace.claim() == open.claim.digest => {
            Some(Answer::Agree(receipt(account, &job, &trace.secret)))
        }
        Knowledge::Computed(Some(trace)) => Some(Answer::Differ {
            result: trace.result,
            root: trace.root,
        }),
        Knowledge::Computed(None) => Some(Answer::Differ {
            result: H256::zero(),
            root: H256::zero(),
        }),
        Knowledge::Failed(failure) if report_failure => Some(Answer::Unable(*failure)),
        Knowledge::Failed(_) | Knowledge::Pending => None,
    }
}

/// Returns what the engine knows about a job without enqueueing it. The executor of a generation has run the generation
/// and not its check.
fn known_result(spec: &JobSpec) -> Knowledge {
    match (knowledge(agorai_engine_interface::poll(spec.id())), spec) {
        (Knowledge::Computed(trace), _) => Knowledge::Computed(trace),
        (_, JobSpec::Check(check)) => {
            let generate = JobSpec::Generate(check.generate.clone());
            knowledge(agorai_engine_interface::poll(generate.id()))
        }
        (other, _) => other,
    }
}

fn knowledge(status: JobStatus) -> Knowledge {
    match status {
        JobStatus::Unknown | JobStatus::Pending => Knowledge::Pending,
        JobStatus::Failed(failure) => Knowledge::Failed(failure),
        JobStatus::Done(result) => match result {
            JobResult::Checked { trace } => Knowledge::Computed(trace),
            JobResult::Generated { trace, .. }
            | JobResult::Scored { trace, .. }
            | JobResult::Aggregated { trace, .. } => Knowledge::Computed(Some(trace)),
            // The engine returned the result of another kind of job.
            JobResult::Trained(_) | JobResult::Audited { .. } => Knowledge::Failed(JobFailure::Invalid),
        },
    }
}
