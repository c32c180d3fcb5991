// SPDX-License-Identifier: Apache-2.0
//! The checks of signed reports. They run in the transaction pool and in the block that includes a report and, without
//! the signature, again in its dispatch.

use crate::{
    claim::{Answer, ClaimInput, ClaimRefusal, Transition},
    Call, Claims, Config, Error, OpenClaimOf, Pallet, ReceiptMessage, RevealMessage,
};
use agorai_primitives::{message::Message, CommitteeSignature};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, pallet_prelude::TransactionSource};
use pallet_support::{
    reports::{invalid, not_yet_valid},
    ReportRefusal, SignedReports,
};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_runtime::transaction_validity::{TransactionValidityError, TransactionValidityWithRefund};

/// Domain of the signature of a receipt.
pub const RECEIPT_DOMAIN: &[u8] = b"verification/receipt";
/// Domain of the signature of a revealed trace secret.
pub const REVEAL_DOMAIN: &[u8] = b"verification/opening";

/// The body of a receipt message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ReceiptBody {
    /// Identifier of the claim ([`crate::claim::Claim::id`]). Another executor can claim the same job later; an
    /// answer must count for the claim it was given to and no other.
    pub claim: H256,
    /// The answer of the member.
    pub answer: Answer,
}

impl<T> From<ReportRefusal> for Error<T> {
    fn from(refusal: ReportRefusal) -> Self {
        Self::Report(refusal)
    }
}

impl<T> From<ClaimRefusal> for Error<T> {
    fn from(refusal: ClaimRefusal) -> Self {
        Self::Claim(refusal)
    }
}

impl<T> From<Error<T>> for TransactionValidityError {
    fn from(error: Error<T>) -> Self {
        match error {
            Error::Report(refusal) => refusal.into(),
            // A node that lags one block behind accepts the report later.
            Error::NoClaim
            | Error::Claim(ClaimRefusal::NotDrawn | ClaimRefusal::NotAssigned | ClaimRefusal::NoQuorum) => {
                not_yet_valid(&error)
            }
            _ => invalid(&error),
        }
    }
}

impl<T: Config> SignedReports for Pallet<T> {
    type Runtime = T;
    type Members = T::Members;
    type Call = Call<T>;
    const TAG_PREFIX: &'static str = "AgoraiVerification";
    const LOG_TARGET: &'static str = "runtime::verification";
}

/// A claim after an input, and the transition to apply.
type After<T> = Result<(OpenClaimOf<T>, Transition<<T as frame_system::Config>::AccountId>), Error<T>>;

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_receipt(
        _: TransactionSource,
        message: &ReceiptMessage<T>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        Self::after_receipt(message)?;
        Self::verify_report(RECEIPT_DOMAIN, message, signature)?;
        Self::valid_report((RECEIPT_DOMAIN, message.job, message.body.claim, &message.member))
    }

    pub(crate) fn authorize_reveal(
        _: TransactionSource,
        message: &RevealMessage<T>,
        signature: &CommitteeSignature,
    ) -> TransactionValidityWithRefund {
        let (open, _) = Self::after_reveal(message)?;
        Self::verify_report(REVEAL_DOMAIN, message, signature)?;
        // The tag does not contain the member: one reveal per claim is enough.
        Self::valid_report((REVEAL_DOMAIN, message.job, open.claim.id()))
    }

    /// Returns the claim after a receipt. Does not write it.
    pub(crate) fn after_receipt(message: &ReceiptMessage<T>) -> After<T> {
        let mut open = Self::claim_of(message)?;
        ensure!(open.claim.id() == message.body.claim, Error::<T>::OtherClaim);
        let (member, answer) = (&message.member, message.body.answer);
        let transition = open.claim.step(ClaimInput::Answered { member, answer })?;
        Ok((open, transition))
    }

    /// Returns the claim after a reveal. Does not write it.
    pub(crate) fn after_reveal(message: &RevealMessage<T>) -> After<T> {
        let mut open = Self::claim_of(message)?;
        let (job, secret) = (&message.job, &message.body);
        let transition = open.claim.step(ClaimInput::Revealed { job, secret })?;
        Ok((open, transition))
    }

    fn claim_of<Body>(message: &Message<T::AccountId, Body>) -> Result<OpenClaimOf<T>, Error<T>> {
        Self::ensure_current_session(message)?;
        Claims::<T>::get(message.job).ok_or(Error::NoClaim)
    }
}
