// SPDX-License-Identifier: Apache-2.0
//! The claims of executors and the checks on them. Cheap checks come first, the signature last. They run when the pool
//! or a block receives a claim and, without the signature, again when the call is dispatched.

use crate::{
    request::{Output, RequestStatus},
    Call, ClaimMessage, Config, OpenJobs, Pallet, RecordOf, Requests, CLAIM_DOMAIN, LOG_TARGET,
};
use agorai_primitives::{
    receipt::{output_result, ClaimDigest},
    CommitteeSignature, RequestId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, PalletError};
use pallet_support::{
    reports::{invalid, not_yet_valid},
    ReportRefusal, SignedReports,
};
use scale_info::TypeInfo;
use sp_runtime::transaction_validity::{
    TransactionSource, TransactionValidityError, TransactionValidityWithRefund,
};

/// The body of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimBody {
    /// Index of the attempt, from 0. An executor is drawn at most once for a request.
    pub attempt: u32,
    /// The answer, without the prompt.
    pub output: Output,
    /// Number of tokens of prompt and answer.
    pub tokens: u32,
    /// The hashes to which the executor commits.
    pub claim: ClaimDigest,
}

/// Why a claim is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, PalletError)]
#[scale_info(capture_docs = "always")]
pub enum ClaimRefusal {
    /// No open request has this job.
    NoRequest,
    /// The request is already claimed.
    AlreadyClaimed,
    /// The member is not the request's current executor.
    NotExecutor,
    /// The claim is for another attempt.
    WrongAttempt,
    /// The job cannot have an answer with this length and number of tokens.
    ImpossibleAnswer,
    /// The claim's result is not the hash of its output and number of tokens.
    WrongResult,
    /// The signature of the claim is not accepted.
    Report(ReportRefusal),
}

impl From<ReportRefusal> for ClaimRefusal {
    fn from(refusal: ReportRefusal) -> Self {
        Self::Report(refusal)
    }
}

impl From<ClaimRefusal> for TransactionValidityError {
    fn from(refusal: ClaimRefusal) -> Self {
        match refusal {
            ClaimRefusal::Report(refusal) => refusal.into(),
            // A node that is one block behind may still accept the claim.
            ClaimRefusal::NoRequest | ClaimRefusal::NotExecutor | ClaimRefusal::WrongAttempt => not_yet_valid(&refusal),
            ClaimRefusal::AlreadyClaimed | ClaimRefusal::ImpossibleAnswer | ClaimRefusal::WrongResult => {
                invalid(&refusal)
            }
        }
    }
}

impl<T: Config> SignedReports for Pallet<T> {
    type Runtime = T;
    type Members = T::Members;
    type Call = Call<T>;
    const TAG_PREFIX: &'static str = "AgoraiInference";
    const LOG_TARGET: &'static str = LOG_TARGET;
}

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_claim(
        _source: TransactionSource,
        message: &ClaimMessage<T>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::check_claim(message)?;
        Self::verify_report(CLAIM_DOMAIN, message, signature).map_err(ClaimRefusal::from)?;
        Self::valid_report((CLAIM_DOMAIN, message.job, message.body.attempt, &message.member))
    }

    /// Makes all checks on a claim but that of its signature. Returns the waiting request that it answers.
    pub(crate) fn check_claim(message: &ClaimMessage<T>) -> Result<(RequestId, RecordOf<T>), ClaimRefusal> {
        Self::ensure_current_session(message)?;
        let request = OpenJobs::<T>::get(message.job).ok_or(ClaimRefusal::NoRequest)?;
        let record = Requests::<T>::get(request).ok_or(ClaimRefusal::NoRequest)?;
        let RequestStatus::Waiting { executor, .. } = &record.status else {
            return Err(ClaimRefusal::AlreadyClaimed);
        };
        ensure!(*executor == message.member, ClaimRefusal::NotExecutor);
        let body = &message.body;
        ensure!(record.attempt() == body.attempt, ClaimRefusal::WrongAttempt);
        ensure!(
            record.is_possible_answer(body.output.len(), body.tokens),
            ClaimRefusal::ImpossibleAnswer
        );
        ensure!(
            body.claim.result == output_result(&body.output, body.tokens),
            ClaimRefusal::WrongResult
        );
        Ok((request, record))
    }
}
