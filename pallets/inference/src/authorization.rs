// SPDX-License-Identifier: Apache-2.0
//! The checks on claims. Cheap checks come first, the signature last. They run when the pool or a block receives a claim
//! and, without the signature, again when the call is dispatched.

use crate::{
    claim::CLAIM_DOMAIN, request::RequestStatus, Call, ClaimMessage, Config, Error, OpenJobs, Pallet, RecordOf,
    Requests, LOG_TARGET,
};
use agorai_primitives::{receipt::output_result, CommitteeSignature, RequestId};
use frame_support::ensure;
use pallet_support::{
    reports::{invalid, not_yet_valid},
    ReportRefusal, SignedReports,
};
use sp_runtime::transaction_validity::{TransactionSource, TransactionValidityError, TransactionValidityWithRefund};

impl<T> From<ReportRefusal> for Error<T> {
    fn from(refusal: ReportRefusal) -> Self {
        Self::Report(refusal)
    }
}

impl<T> From<Error<T>> for TransactionValidityError {
    fn from(error: Error<T>) -> Self {
        match error {
            Error::Report(refusal) => refusal.into(),
            // A node that is one block behind may still accept the claim.
            Error::NoRequest | Error::NotExecutor | Error::WrongAttempt => not_yet_valid(&error),
            _ => invalid(&error),
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
        Self::verify_report(CLAIM_DOMAIN, message, signature)?;
        Self::valid_report((CLAIM_DOMAIN, message.job, message.body.attempt, &message.member))
    }

    /// Makes all checks on a claim but that of its signature. Returns the waiting request that it answers.
    pub(crate) fn check_claim(message: &ClaimMessage<T>) -> Result<(RequestId, RecordOf<T>), Error<T>> {
        Self::ensure_current_session(message)?;
        let request = OpenJobs::<T>::get(message.job).ok_or(Error::<T>::NoRequest)?;
        let record = Requests::<T>::get(request).ok_or(Error::<T>::NoRequest)?;
        let RequestStatus::Waiting { executor, .. } = &record.status else {
            return Err(Error::<T>::AlreadyClaimed);
        };
        ensure!(*executor == message.member, Error::<T>::NotExecutor);
        let body = &message.body;
        ensure!(record.attempt() == body.attempt, Error::<T>::WrongAttempt);
        ensure!(
            record.is_possible_answer(body.output.len(), body.tokens),
            Error::<T>::ImpossibleAnswer
        );
        ensure!(
            body.claim.result == output_result(&body.output, body.tokens),
            Error::<T>::WrongResult
        );
        Ok((request, record))
    }
}
