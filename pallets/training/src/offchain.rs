// SPDX-License-Identifier: Apache-2.0
//! What a validator does off the chain for the plans that run: enrol, train, audit, and claim or prepare to
//! check.
//!
//! Runs after every block and never waits. What is said on the chain is read from the chain, so a lost
//! transaction is made again and nothing is sent for what is done.

use crate::{
    reports::round_job,
    round::ClaimStatus,
    types::{
        AuditBody, ClaimBody, ContributionBody, ContributionRecord, EnrolBody, NewWeights, Output, Phase, WorkerStatus,
    },
    Call, Config, Current, Pallet, PlanOf, Plans, RoundOf, Running, AUDIT_DOMAIN, CLAIM_DOMAIN, CONTRIBUTION_DOMAIN,
    ENROL_DOMAIN, LOG_TARGET,
};
use agorai_primitives::{
    crypto::local_members,
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    message::Message,
    traits::SessionMembers,
    CommitteeId, CommitteeSignature, JobId, PlanId, SessionIndex,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_system::offchain::SubmitTransaction;

/// A plan that runs, as this node sees it after a block.
struct View<'a, T: Config> {
    id: PlanId,
    plan: &'a PlanOf<T>,
    round: &'a RoundOf<T>,
    session: SessionIndex,
    local: &'a [(T::AccountId, CommitteeId)],
}

impl<T: Config> Pallet<T> {
    /// Does what local members owe.
    pub(crate) fn work() {
        let running = Running::<T>::get();
        if running.is_empty() {
            return;
        }
        let members: Vec<_> = T::Members::members()
            .into_iter()
            .map(|member| (member.account, member.key))
            .collect();
        let local = local_members(&members);
        if local.is_empty() {
            return;
        }
        let session = T::Members::session();
        for id in running {
            let (Some(plan), Some(round)) = (Plans::<T>::get(id), Current::<T>::get(id)) else {
                continue;
            };
            let view = View::<T> {
                id,
                plan: &plan,
                round: &round,
                session,
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

impl<T: Config> View<'_, T> {
    /// Every local member enrols, unless there is no engine to train with.
    fn enrol(&self) {
        let nothing = JobId::zero();
        if agorai_engine_interface::poll(nothing) == JobStatus::Failed(JobFailure::NoEngine) {
            return;
        }
        for member in self.local.iter().filter(|(who, _)| self.round.place(who).is_none()) {
            let body = EnrolBody {
                plan: self.id,
                round: self.plan.round,
            };
            self.report(
                member,
                ENROL_DOMAIN,
                round_job(self.id, self.plan.round),
                body,
                |message, signature| Call::submit_enrol { message, signature },
            );
        }
    }

    fn train(&self) {
        for member in self.local {
            let Some(place) = self.round.place(&member.0) else {
                continue;
            };
            let status = self.round.workers.get(place as usize).map(|worker| worker.status);
            if status != Some(WorkerStatus::Training) {
                continue;
            }
            let spec = Pallet::<T>::train_spec(self.id, self.plan, self.round, place);
            let Some(JobResult::Trained(contribution)) = spec.and_then(|spec| done(JobSpec::Train(spec))) else {
                continue;
            };
            let Some(contribution) = ContributionRecord::new(contribution) else {
                log::error!(target: LOG_TARGET, "the engine's contribution has too many states");
                continue;
            };
            let body = ContributionBody {
                plan: self.id,
                round: self.plan.round,
                contribution,
            };
            self.report(
                member,
                CONTRIBUTION_DOMAIN,
                Pallet::<T>::training_job(self.id, self.plan, self.round),
                body,
                |message, signature| Call::submit_contribution { message, signature },
            );
        }
    }

    fn audit(&self) {
        for worker in 0..self.round.workers.len() as u32 {
            let asked: Vec<_> = self
                .local
                .iter()
                .filter(|(who, _)| self.round.owes_audit(who, worker))
                .collect();
            if asked.is_empty() {
                continue;
            }
            let spec = Pallet::<T>::audit_spec(self.id, self.plan, self.round, worker);
            let Some(JobResult::Audited { matches }) = spec.and_then(|spec| done(JobSpec::Audit(spec))) else {
                continue;
            };
            for member in asked {
                let body = AuditBody {
                    plan: self.id,
                    round: self.plan.round,
                    worker,
                    matches,
                };
                self.report(
                    member,
                    AUDIT_DOMAIN,
                    Pallet::<T>::audit_job(self.id, self.plan, self.round, worker),
                    body,
                    |message, signature| Call::submit_audit { message, signature },
                );
            }
        }
    }

    /// Every member will have to check the claim: all compute at once, the executor claims.
    fn claim(&self) {
        let Some(spec) = Pallet::<T>::claim_spec(self.id, self.plan, self.round) else {
            return;
        };
        let Some((output, trace)) = done(spec).and_then(output) else {
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
        self.report(
            member,
            CLAIM_DOMAIN,
            self.round.claim_attempt.job,
            body,
            |message, signature| Call::submit_claim { message, signature },
        );
    }

    fn report<Body: Encode>(
        &self,
        (account, key): &(T::AccountId, CommitteeId),
        domain: &[u8],
        job: JobId,
        body: Body,
        call: impl FnOnce(Message<T::AccountId, Body>, CommitteeSignature) -> Call<T>,
    ) {
        let message = Message {
            member: account.clone(),
            session: self.session,
            job,
            body,
        };
        let Some(signature) = message.sign(domain, &Pallet::<T>::genesis(), key) else {
            return;
        };
        let transaction = T::create_authorized_transaction(call(message, signature).into());
        // Refused where the pool has it from the block before.
        if SubmitTransaction::<T, Call<T>>::submit_transaction(transaction).is_err() {
            log::debug!(target: LOG_TARGET, "the pool did not take a report");
        }
    }
}

/// The result of a job, which is enqueued if the engine does not know it.
fn done(spec: JobSpec) -> Option<JobResult> {
    match agorai_engine_interface::run(&spec) {
        JobStatus::Done(result) => Some(result),
        JobStatus::Failed(failure) => {
            log::debug!(target: LOG_TARGET, "a job has failed: {failure:?}");
            None
        }
        JobStatus::Unknown | JobStatus::Pending => None,
    }
}

/// What an executor claims when it has this result.
fn output(result: JobResult) -> Option<(Output, agorai_primitives::receipt::Trace)> {
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
