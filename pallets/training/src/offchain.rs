// SPDX-License-Identifier: Apache-2.0
//! The offchain worker: enrols, trains, audits and claims for the members whose keys are in this node's keystore, and
//! computes claims that they will have to check.
//!
//! Runs after every block and does not block: the engine computes in the background. It derives its work from the
//! state of the chain, so it submits a lost report again and submits nothing for reports that the chain contains.

use crate::{
    contribution::ContributionRecord,
    reports::{
        enrolment_job, AuditBody, ClaimBody, ContributionBody, EnrolBody, AUDIT_DOMAIN, CLAIM_DOMAIN,
        CONTRIBUTION_DOMAIN, ENROL_DOMAIN,
    },
    round::{ClaimStatus, NewWeights, Output, Phase, WorkerStatus},
    Call, Config, CurrentRounds, Pallet, PlanOf, Plans, RoundOf, RunningPlans, LOG_TARGET,
};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    message::Message,
    receipt::Trace,
    CommitteeId, CommitteeSignature, JobId, PlanId,
};
use alloc::vec::Vec;
use codec::Encode;
use pallet_support::SignedReports;

/// A running plan and the local members.
struct PlanView<'a, T: Config> {
    id: PlanId,
    plan: &'a PlanOf<T>,
    round: &'a RoundOf<T>,
    local: &'a [(T::AccountId, CommitteeId)],
}

impl<T: Config> Pallet<T> {
    /// Submits the reports that local members owe, as far as the engine has computed them.
    pub(crate) fn submit_owed_reports() {
        let running = RunningPlans::<T>::get();
        if running.is_empty() {
            return;
        }
        let local = Self::local_members();
        if local.is_empty() {
            return;
        }
        for id in running {
            let (Some(plan), Some(round)) = (Plans::<T>::get(id), CurrentRounds::<T>::get(id)) else {
                continue;
            };
            let view = PlanView::<T> {
                id,
                plan: &plan,
                round: &round,
                local: &local,
            };
            match round.phase {
                Phase::Enrol => view.enrol(),
                Phase::Train => view.train(),
                Phase::Audit => view.audit(),
                Phase::Score | Phase::Aggregate => view.claim(),
                Phase::Done => {}
            }
        }
    }
}

impl<T: Config> PlanView<'_, T> {
    /// Enrols every local member, unless the node has no engine.
    fn enrol(&self) {
        // Without an engine, a poll of any job fails.
        if agorai_engine_interface::poll(JobId::zero()) == JobStatus::Failed(JobFailure::NoEngine) {
            return;
        }
        for member in self
            .local
            .iter()
            .filter(|(who, _)| self.round.worker_index(who).is_none())
        {
            let body = EnrolBody {
                plan: self.id,
                round: self.plan.round,
            };
            self.submit(
                member,
                ENROL_DOMAIN,
                enrolment_job(self.id, self.plan.round),
                body,
                |message, signature| Call::submit_enrol { message, signature },
            );
        }
    }

    /// Trains for every local worker and commits to its contribution.
    fn train(&self) {
        for member in self.local {
            let Some(worker) = self.round.worker_index(&member.0) else {
                continue;
            };
            let status = self.round.workers.get(worker as usize).map(|worker| worker.status);
            if status != Some(WorkerStatus::Training) {
                continue;
            }
            let spec = Pallet::<T>::train_spec(self.id, self.plan, self.round, worker);
            let Some(JobResult::Trained(contribution)) = spec.and_then(|spec| run(JobSpec::Train(spec))) else {
                continue;
            };
            let Some(contribution) = ContributionRecord::new(contribution) else {
                log::error!(target: LOG_TARGET, "the engine's contribution to plan {} has too many states", self.id);
                continue;
            };
            let body = ContributionBody {
                plan: self.id,
                round: self.plan.round,
                contribution,
            };
            self.submit(
                member,
                CONTRIBUTION_DOMAIN,
                Pallet::<T>::training_job(self.id, self.plan, self.round),
                body,
                |message, signature| Call::submit_contribution { message, signature },
            );
        }
    }

    /// Re-executes the segments that local members have to audit.
    fn audit(&self) {
        for worker in 0..self.round.workers.len() as u32 {
            let auditors: Vec<_> = self
                .local
                .iter()
                .filter(|(who, _)| self.round.owes_audit(who, worker))
                .collect();
            if auditors.is_empty() {
                continue;
            }
            let spec = Pallet::<T>::audit_spec(self.id, self.plan, self.round, worker);
            let Some(JobResult::Audited { matches }) = spec.and_then(|spec| run(JobSpec::Audit(spec))) else {
                continue;
            };
            for member in auditors {
                let body = AuditBody {
                    plan: self.id,
                    round: self.plan.round,
                    worker,
                    matches,
                };
                self.submit(
                    member,
                    AUDIT_DOMAIN,
                    Pallet::<T>::audit_job(self.id, self.plan, self.round, worker),
                    body,
                    |message, signature| Call::submit_audit { message, signature },
                );
            }
        }
    }

    /// Computes the claim of the phase. Every member will have to check it, so all compute it now; only the executor
    /// submits it.
    fn claim(&self) {
        let Some(spec) = Pallet::<T>::claim_spec(self.id, self.plan, self.round) else {
            return;
        };
        let Some((output, trace)) = run(spec).and_then(claimed_output) else {
            return;
        };
        let Some((executor, attempt)) = self.round.executor() else {
            return;
        };
        let member = self.local.iter().find(|(who, _)| who == executor);
        let Some(member) = member.filter(|_| self.round.claim_attempt.status == ClaimStatus::Owed) else {
            return;
        };
        let body = ClaimBody {
            plan: self.id,
            round: self.plan.round,
            attempt,
            output,
            claim: trace.claim(),
        };
        self.submit(
            member,
            CLAIM_DOMAIN,
            self.round.claim_attempt.job,
            body,
            |message, signature| Call::submit_claim { message, signature },
        );
    }

    /// Signs a report of a local member and submits it.
    fn submit<Body: Encode>(
        &self,
        (account, key): &(T::AccountId, CommitteeId),
        domain: &[u8],
        job: JobId,
        body: Body,
        call: impl FnOnce(Message<T::AccountId, Body>, CommitteeSignature) -> Call<T>,
    ) {
        let message = Pallet::<T>::report(account, job, body);
        Pallet::<T>::send_report(domain, message, key, call);
    }
}

/// The result of a job if it is available; otherwise enqueues the job.
fn run(spec: JobSpec) -> Option<JobResult> {
    match agorai_engine_interface::run(&spec) {
        JobStatus::Done(result) => Some(result),
        JobStatus::Failed(failure) => {
            log::debug!(target: LOG_TARGET, "job {:?} failed: {failure:?}", spec.id());
            None
        }
        JobStatus::Unknown | JobStatus::Pending => None,
    }
}

/// The output and trace that an executor claims for the result of a job.
fn claimed_output(result: JobResult) -> Option<(Output, Trace)> {
    match result {
        JobResult::Scored { scores, trace } => Some((Output::Scores(scores.try_into().ok()?), trace)),
        JobResult::Aggregated {
            weights,
            loss_before,
            loss_after,
            trace,
        } => Some((
            Output::Weights(NewWeights {
                weights,
                loss_before,
                loss_after,
            }),
            trace,
        )),
        _ => None,
    }
}
