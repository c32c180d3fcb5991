// SPDX-License-Identifier: Apache-2.0
//! The checks on reports. Cheap checks come first, the signature last. They run when the pool or a block receives a
//! report and, without the signature, again when the call is dispatched.

use crate::{
    reports::{
        enrolment_job, result_hash, AuditBody, ClaimBody, ContributionBody, EnrolBody, AUDIT_DOMAIN, CLAIM_DOMAIN,
        CONTRIBUTION_DOMAIN, ENROL_DOMAIN,
    },
    round::{RoundInput, RoundRefusal, StepContext, Transition},
    Call, Config, CurrentRounds, Error, MessageOf, Pallet, PlanOf, Plans, LOG_TARGET,
};
use agorai_primitives::{CommitteeSignature, PlanId, RoundIndex};
use frame_support::{ensure, pallet_prelude::TransactionSource};
use pallet_support::{reports::invalid, ReportRefusal, SignedReports};
use sp_core::H256;
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError, TransactionValidityWithRefund};

impl<T> From<ReportRefusal> for Error<T> {
    fn from(refusal: ReportRefusal) -> Self {
        Self::Report(refusal)
    }
}

impl<T> From<RoundRefusal> for Error<T> {
    fn from(refusal: RoundRefusal) -> Self {
        Self::Round(refusal)
    }
}

impl<T> From<Error<T>> for TransactionValidityError {
    fn from(error: Error<T>) -> Self {
        use RoundRefusal::*;
        match error {
            Error::Report(refusal) => refusal.into(),
            // The chain has progressed since the report was signed.
            Error::UnknownPlan
            | Error::WrongRound
            | Error::Round(
                WrongPhase | AlreadyEnrolled | AlreadyContributed | AlreadyAudited | AlreadyClaimed | NoAudit | NoClaim,
            ) => InvalidTransaction::Stale.into(),
            _ => invalid(&error),
        }
    }
}

impl<T: Config> SignedReports for Pallet<T> {
    type Runtime = T;
    type Members = T::Members;
    type Call = Call<T>;
    const TAG_PREFIX: &'static str = "AgoraiTraining";
    const LOG_TARGET: &'static str = LOG_TARGET;
}

/// A plan and the transition of its current round.
type PlanTransition<T> = Result<(PlanOf<T>, Transition<<T as frame_system::Config>::AccountId>), Error<T>>;

impl<T: Config> Pallet<T> {
    /// The transition of a plan's current round for a report. `index` is the round that the report names.
    pub(crate) fn transition(id: PlanId, index: RoundIndex, input: RoundInput<T::AccountId>) -> PlanTransition<T> {
        let plan = Plans::<T>::get(id).ok_or(Error::<T>::UnknownPlan)?;
        ensure!(plan.is_running(), Error::<T>::UnknownPlan);
        ensure!(plan.round == index, Error::<T>::WrongRound);
        let round = CurrentRounds::<T>::get(id).ok_or(Error::<T>::UnknownPlan)?;
        let rules = Self::rules(&plan);
        // Only ticks draw, so that a report needs neither members nor randomness.
        let context = StepContext {
            block: Self::now(),
            members: &[],
            randomness: H256::zero(),
            rules: &rules,
        };
        let transition = round.step(input, &context)?;
        Ok((plan, transition))
    }

    /// The transition for a contribution.
    pub(crate) fn contribution_transition(message: &MessageOf<T, ContributionBody>) -> PlanTransition<T> {
        let ContributionBody {
            plan,
            round,
            contribution,
        } = &message.body;
        let (who, payload) = (message.member.clone(), contribution.payload);
        let (record, transition) = Self::transition(*plan, *round, RoundInput::Contribute { who, payload })?;
        let fits = contribution.fits(&record.recipe, &record.architecture);
        ensure!(fits, Error::<T>::ContributionMalformed);
        Ok((record, transition))
    }

    /// The transition for a claim.
    pub(crate) fn claim_transition(message: &MessageOf<T, ClaimBody>) -> PlanTransition<T> {
        let body = &message.body;
        ensure!(body.claim.result == result_hash(&body.output), Error::<T>::WrongResult);
        let input = RoundInput::Claim {
            by: message.member.clone(),
            attempt: body.attempt,
            output: body.output.clone(),
        };
        let (record, transition) = Self::transition(body.plan, body.round, input)?;
        ensure!(transition.round.claim_attempt.job == message.job, Error::<T>::WrongJob);
        Ok((record, transition))
    }

    pub(crate) fn authorize_enrol(
        _: TransactionSource,
        message: &MessageOf<T, EnrolBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::check_enrolment(message)?;
        Self::verify_report(ENROL_DOMAIN, message, signature)?;
        Self::valid_report((ENROL_DOMAIN, message.job, &message.member))
    }

    pub(crate) fn authorize_contribution(
        _: TransactionSource,
        message: &MessageOf<T, ContributionBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::check_contribution(message)?;
        Self::verify_report(CONTRIBUTION_DOMAIN, message, signature)?;
        Self::valid_report((CONTRIBUTION_DOMAIN, message.job, &message.member))
    }

    pub(crate) fn authorize_audit(
        _: TransactionSource,
        message: &MessageOf<T, AuditBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::check_audit(message)?;
        Self::verify_report(AUDIT_DOMAIN, message, signature)?;
        Self::valid_report((AUDIT_DOMAIN, message.job, &message.member, message.body.worker))
    }

    pub(crate) fn authorize_claim(
        _: TransactionSource,
        message: &MessageOf<T, ClaimBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::claim_transition(message)?;
        Self::verify_report(CLAIM_DOMAIN, message, signature)?;
        Self::valid_report((CLAIM_DOMAIN, message.job, &message.member, message.body.attempt))
    }

    fn check_enrolment(message: &MessageOf<T, EnrolBody>) -> Result<(), Error<T>> {
        let EnrolBody { plan, round } = message.body;
        ensure!(message.job == enrolment_job(plan, round), Error::<T>::WrongJob);
        let who = message.member.clone();
        Self::transition(plan, round, RoundInput::Enrol { who })?;
        Ok(())
    }

    fn check_contribution(message: &MessageOf<T, ContributionBody>) -> Result<(), Error<T>> {
        let (plan, transition) = Self::contribution_transition(message)?;
        let job = Self::training_job(message.body.plan, &plan, &transition.round);
        ensure!(message.job == job, Error::<T>::WrongJob);
        Ok(())
    }

    fn check_audit(message: &MessageOf<T, AuditBody>) -> Result<(), Error<T>> {
        let AuditBody {
            plan,
            round,
            worker,
            matches,
        } = message.body;
        let by = message.member.clone();
        let input = RoundInput::Audit { by, worker, matches };
        let (record, transition) = Self::transition(plan, round, input)?;
        let job = Self::audit_job(plan, &record, &transition.round, worker);
        ensure!(message.job == job, Error::<T>::WrongJob);
        Ok(())
    }
}
