// SPDX-License-Identifier: Apache-2.0
//! The checks on what validators report: cheap ones first, the signature last. They run when the pool or a
//! block takes a report, and, without the signature, once more when it is dispatched.

use crate::{
    round::{Next, RoundInput, RoundRefusal, StepContext},
    types::{AuditBody, ClaimBody, ContributionBody, EnrolBody, Output, PlanStatus},
    Config, Contributions, Current, Error, MessageOf, Pallet, PlanOf, Plans, RoundOf, AUDIT_DOMAIN, CLAIM_DOMAIN,
    CONTRIBUTION_DOMAIN, ENROL_DOMAIN,
};
use agorai_primitives::{
    receipt::{scores_result, weights_result},
    traits::SessionMembers,
    CommitteeSignature, JobId, PlanId, RoundIndex,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    ensure,
    pallet_prelude::{
        InvalidTransaction, TransactionPriority, TransactionSource, TransactionValidityError, ValidTransaction, Weight,
    },
};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::{traits::Zero, transaction_validity::TransactionValidityWithRefund};

/// Blocks that a report stays in the pool. Short: a node that could not take one when it first heard of
/// it gets a fresh one soon after.
const LONGEVITY: u64 = 5;

/// The name under which validators enrol for a round.
pub fn round_job(plan: PlanId, round: RoundIndex) -> JobId {
    (b"agorai/round/1", plan, round).using_encoded(blake2_256).into()
}

/// Why a report is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportRefusal {
    /// No plan has this index, or it is over.
    UnknownPlan,
    /// It is not about the plan's current round.
    WrongRound,
    /// It is signed for another session.
    WrongSession,
    /// It names another job.
    WrongJob,
    /// The account is no member in this session.
    NotAMember,
    /// The signature is not the member's.
    BadSignature,
    /// The contribution does not fit the recipe.
    ContributionMalformed,
    /// The claim's result is not the hash of its output.
    WrongResult,
    /// The round refuses it.
    Round(RoundRefusal),
}

impl From<RoundRefusal> for ReportRefusal {
    fn from(refusal: RoundRefusal) -> Self {
        Self::Round(refusal)
    }
}

impl<T> From<ReportRefusal> for Error<T> {
    fn from(refusal: ReportRefusal) -> Self {
        match refusal {
            ReportRefusal::UnknownPlan => Self::UnknownPlan,
            ReportRefusal::WrongRound => Self::WrongRound,
            ReportRefusal::WrongSession => Self::WrongSession,
            ReportRefusal::WrongJob => Self::WrongJob,
            ReportRefusal::NotAMember => Self::NotAMember,
            ReportRefusal::BadSignature => Self::BadSignature,
            ReportRefusal::ContributionMalformed => Self::ContributionMalformed,
            ReportRefusal::WrongResult => Self::WrongResult,
            ReportRefusal::Round(refusal) => match refusal {
                RoundRefusal::WrongPhase => Self::WrongPhase,
                RoundRefusal::AlreadyEnrolled => Self::AlreadyEnrolled,
                RoundRefusal::RoundFull => Self::RoundFull,
                RoundRefusal::NotAWorker => Self::NotAWorker,
                RoundRefusal::AlreadyContributed => Self::AlreadyContributed,
                RoundRefusal::NoAudit => Self::NoAudit,
                RoundRefusal::NotAnAuditor => Self::NotAnAuditor,
                RoundRefusal::AlreadyAudited => Self::AlreadyAudited,
                RoundRefusal::NotExecutor => Self::NotExecutor,
                RoundRefusal::AlreadyClaimed => Self::AlreadyClaimed,
                RoundRefusal::WrongOutput => Self::WrongOutput,
                RoundRefusal::NoClaim => Self::NoClaim,
            },
        }
    }
}

/// What the pool is told: that the chain has gone on, or what is wrong with the report.
impl From<ReportRefusal> for TransactionValidityError {
    fn from(refusal: ReportRefusal) -> Self {
        use RoundRefusal::*;
        match refusal {
            ReportRefusal::BadSignature => InvalidTransaction::BadProof,
            ReportRefusal::NotAMember => InvalidTransaction::BadSigner,
            ReportRefusal::WrongSession | ReportRefusal::WrongRound | ReportRefusal::UnknownPlan => {
                InvalidTransaction::Stale
            }
            ReportRefusal::WrongJob => InvalidTransaction::Custom(1),
            ReportRefusal::ContributionMalformed => InvalidTransaction::Custom(2),
            ReportRefusal::WrongResult => InvalidTransaction::Custom(3),
            ReportRefusal::Round(refusal) => match refusal {
                WrongPhase | AlreadyEnrolled | AlreadyContributed | AlreadyAudited | AlreadyClaimed | NoAudit
                | NoClaim => InvalidTransaction::Stale,
                RoundFull => InvalidTransaction::Custom(4),
                NotAWorker => InvalidTransaction::Custom(5),
                NotAnAuditor => InvalidTransaction::Custom(6),
                NotExecutor => InvalidTransaction::Custom(7),
                WrongOutput => InvalidTransaction::Custom(8),
            },
        }
        .into()
    }
}

type After<T> = Result<(PlanOf<T>, Next<<T as frame_system::Config>::AccountId>), ReportRefusal>;

impl<T: Config> Pallet<T> {
    /// A plan, and its round after an event.
    pub(crate) fn after(id: PlanId, index: RoundIndex, step: RoundInput<T::AccountId>) -> After<T> {
        let plan = Plans::<T>::get(id).ok_or(ReportRefusal::UnknownPlan)?;
        let runs = matches!(plan.status, PlanStatus::Running | PlanStatus::Stopping);
        ensure!(runs, ReportRefusal::UnknownPlan);
        ensure!(plan.round == index, ReportRefusal::WrongRound);
        let round = Current::<T>::get(id).ok_or(ReportRefusal::UnknownPlan)?;
        let rules = Self::rules(&plan);
        // Draws are made by ticks only.
        let at = StepContext {
            block: Self::now(),
            members: &[],
            randomness: H256::zero(),
            rules: &rules,
        };
        let next = round.step(step, &at)?;
        Ok((plan, next))
    }

    /// A plan, and its round after a contribution.
    pub(crate) fn after_contribution(message: &MessageOf<T, ContributionBody>) -> After<T> {
        let ContributionBody {
            plan,
            round,
            contribution,
        } = &message.body;
        let (who, payload) = (message.member.clone(), contribution.payload);
        let (record, next) = Self::after(*plan, *round, RoundInput::Contribute { who, payload })?;
        let fits = contribution.fits(&record.recipe, &record.architecture);
        ensure!(fits, ReportRefusal::ContributionMalformed);
        Ok((record, next))
    }

    /// A plan, and its round after a claim.
    pub(crate) fn after_claim(message: &MessageOf<T, ClaimBody>) -> After<T> {
        let ClaimBody {
            plan,
            round,
            attempt,
            output,
            claim,
        } = &message.body;
        let result = match output {
            Output::Scores(scores) => scores_result(scores),
            Output::Weights(new) => weights_result(&new.weights, new.loss_before, new.loss_after),
        };
        ensure!(claim.result == result, ReportRefusal::WrongResult);
        let (by, output) = (message.member.clone(), output.clone());
        let step = RoundInput::Claim {
            by,
            attempt: *attempt,
            output,
        };
        let (record, next) = Self::after(*plan, *round, step)?;
        ensure!(next.round.claim_attempt.job == message.job, ReportRefusal::WrongJob);
        Ok((record, next))
    }

    pub(crate) fn authorize_enrol(
        _: TransactionSource,
        message: &MessageOf<T, EnrolBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        let EnrolBody { plan, round } = message.body;
        ensure!(message.job == round_job(plan, round), ReportRefusal::WrongJob);
        Self::after(
            plan,
            round,
            RoundInput::Enrol {
                who: message.member.clone(),
            },
        )?;
        Self::verify(ENROL_DOMAIN, message, signature)?;
        Self::valid((ENROL_DOMAIN, message.job, &message.member))
    }

    pub(crate) fn authorize_contribution(
        _: TransactionSource,
        message: &MessageOf<T, ContributionBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        let (plan, next) = Self::after_contribution(message)?;
        let job = Self::training_job(message.body.plan, &plan, &next.round);
        ensure!(message.job == job, ReportRefusal::WrongJob);
        Self::verify(CONTRIBUTION_DOMAIN, message, signature)?;
        Self::valid((CONTRIBUTION_DOMAIN, message.job, &message.member))
    }

    pub(crate) fn authorize_audit(
        _: TransactionSource,
        message: &MessageOf<T, AuditBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        let AuditBody {
            plan,
            round,
            worker,
            matches,
        } = message.body;
        let by = message.member.clone();
        let step = RoundInput::Audit { by, worker, matches };
        let (record, next) = Self::after(plan, round, step)?;
        let job = Self::audit_job(plan, &record, &next.round, worker);
        ensure!(message.job == job, ReportRefusal::WrongJob);
        Self::verify(AUDIT_DOMAIN, message, signature)?;
        Self::valid((AUDIT_DOMAIN, message.job, &message.member, worker))
    }

    pub(crate) fn authorize_claim(
        _: TransactionSource,
        message: &MessageOf<T, ClaimBody>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::after_claim(message)?;
        Self::verify(CLAIM_DOMAIN, message, signature)?;
        Self::valid((CLAIM_DOMAIN, message.job, &message.member, message.body.attempt))
    }

    /// The name under which workers commit. It binds what decides their work, so that a commitment made
    /// on one fork is worth nothing on another.
    pub(crate) fn training_job(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>) -> JobId {
        let workers: Vec<_> = round.workers.iter().map(|worker| &worker.account).collect();
        (b"agorai/training/1", id, plan.round, plan.weights, round.seed, workers)
            .using_encoded(blake2_256)
            .into()
    }

    /// The name under which auditors report on a worker. It binds what they have re-executed.
    pub(crate) fn audit_job(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, worker: u32) -> JobId {
        let segment = round.workers.get(worker as usize).map(|worker| worker.audit.segment);
        let contribution = Contributions::<T>::get(id, worker);
        let training = Self::training_job(id, plan, round);
        (b"agorai/audit/1", training, worker, segment, contribution)
            .using_encoded(blake2_256)
            .into()
    }

    fn verify<Body: Encode>(
        domain: &[u8],
        message: &MessageOf<T, Body>,
        signature: &CommitteeSignature,
    ) -> Result<(), ReportRefusal> {
        ensure!(message.session == T::Members::session(), ReportRefusal::WrongSession);
        let member = T::Members::member(&message.member).ok_or(ReportRefusal::NotAMember)?;
        let good = message.verify(domain, &Self::genesis(), &member.key, signature);
        ensure!(good, ReportRefusal::BadSignature);
        Ok(())
    }

    /// Hash of the first block: what is signed is signed for this chain.
    pub(crate) fn genesis() -> H256 {
        frame_system::Pallet::<T>::block_hash(frame_system::pallet_prelude::BlockNumberFor::<T>::zero())
    }

    fn valid(tag: impl Encode) -> TransactionValidityWithRefund {
        ValidTransaction::with_tag_prefix("AgoraiTraining")
            .priority(TransactionPriority::MAX / 2)
            .and_provides(tag)
            .longevity(LONGEVITY)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }
}
