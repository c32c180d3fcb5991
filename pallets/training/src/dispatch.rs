// SPDX-License-Identifier: Apache-2.0
//! The effects of authorized reports.

use crate::{
    reports::{AuditBody, ClaimBody, ContributionBody, EnrolBody},
    round::{Output, RoundInput, RoundRefusal},
    Config, Contributions, Error, Event, MessageOf, Pallet,
};
use agorai_primitives::{
    message::Message,
    traits::{ClaimVerifier, CommitteeRule, JobKind},
};
use sp_runtime::DispatchResult;

impl<T: Config> Pallet<T> {
    /// Adds a worker to the current round. Emits [`Event::Enrolled`].
    pub(crate) fn apply_enrolment(message: MessageOf<T, EnrolBody>) -> DispatchResult {
        let EnrolBody { plan, round } = message.body;
        let input = RoundInput::Enrol {
            who: message.member.clone(),
        };
        let (record, transition) = Self::transition(plan, round, input)?;
        Self::deposit_event(Event::Enrolled {
            plan,
            round,
            worker: message.member,
        });
        Self::apply(plan, record, transition);
        Ok(())
    }

    /// Stores the contribution of a worker. Emits [`Event::Contributed`].
    pub(crate) fn apply_contribution(message: MessageOf<T, ContributionBody>) -> DispatchResult {
        let worker = message.member.clone();
        let (record, transition) = Self::contribution_transition(&message)?;
        let ContributionBody {
            plan,
            round,
            contribution,
        } = message.body;
        let index = transition.round.worker_index(&worker);
        let index = index.ok_or(Error::<T>::Round(RoundRefusal::NotAWorker))?;
        Self::deposit_event(Event::Contributed {
            plan,
            round,
            worker,
            loss_first: contribution.loss_first,
            loss_last: contribution.loss_last,
            payload: contribution.payload,
        });
        Contributions::<T>::insert(plan, index, contribution);
        Self::apply(plan, record, transition);
        Ok(())
    }

    /// Records the report of an auditor. Emits [`Event::Audited`].
    pub(crate) fn apply_audit(message: MessageOf<T, AuditBody>) -> DispatchResult {
        let AuditBody {
            plan,
            round,
            worker,
            matches,
        } = message.body;
        let auditor = message.member;
        let input = RoundInput::Audit {
            by: auditor.clone(),
            worker,
            matches,
        };
        let (record, transition) = Self::transition(plan, round, input)?;
        let audited = transition.round.workers.get(worker as usize);
        let audited = audited.ok_or(Error::<T>::Round(RoundRefusal::NoAudit))?;
        Self::deposit_event(Event::Audited {
            plan,
            round,
            worker: audited.account.clone(),
            auditor,
            matches,
        });
        Self::apply(plan, record, transition);
        Ok(())
    }

    /// Opens the claim of an executor. Emits [`Event::Claimed`].
    pub(crate) fn apply_claim(message: MessageOf<T, ClaimBody>) -> DispatchResult {
        let (record, transition) = Self::claim_transition(&message)?;
        let Message {
            member: executor,
            job,
            body,
            ..
        } = message;
        let ClaimBody {
            plan,
            round,
            claim,
            output,
            ..
        } = body;
        let kind = match output {
            Output::Scores(_) => JobKind::Score,
            Output::Weights(_) => JobKind::Aggregate,
        };
        Self::deposit_event(Event::Claimed {
            plan,
            round,
            executor: executor.clone(),
            job,
        });
        // Before the claim is opened, because its verdict may arrive within the call.
        Self::apply(plan, record, transition);
        T::Verification::open(kind, job, &executor, claim, CommitteeRule::Everyone)
    }
}
