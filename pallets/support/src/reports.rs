// SPDX-License-Identifier: Apache-2.0
//! Reports that validators sign with their session key `cmte`.
//!
//! A report is a [`Message`] in an authorized transaction (`#[pallet::authorize]`) that the offchain worker of a
//! validator submits. Its signature covers a domain (one per call), the genesis hash and the message, so that it is
//! valid for one call of one chain in one session.
//!
//! A pallet implements [`SignedReports`] and calls:
//!
//! | where | function |
//! |---|---|
//! | `authorize`, first | [`ensure_current_session`](SignedReports::ensure_current_session), then its own checks |
//! | `authorize`, last | [`verify_report`](SignedReports::verify_report), [`valid_report`](SignedReports::valid_report) |
//! | offchain worker | [`local_members`](SignedReports::local_members), [`report`](SignedReports::report), [`send_report`](SignedReports::send_report) |
//!
//! The error type of the pallet nests [`ReportRefusal`] and converts into a `TransactionValidityError` with
//! [`invalid`] and [`not_yet_valid`].

use agorai_primitives::{
    crypto::local_members, message::Message, traits::SessionMembers, CommitteeId, CommitteeSignature, JobId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{ensure, pallet_prelude::Weight, PalletError};
use frame_system::{
    offchain::{CreateAuthorizedTransaction, SubmitTransaction},
    pallet_prelude::BlockNumberFor,
};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_runtime::{
    traits::Zero,
    transaction_validity::{
        InvalidTransaction, TransactionPriority, TransactionValidityError, TransactionValidityWithRefund,
        UnknownTransaction, ValidTransaction,
    },
};

/// Blocks that a report stays in the transaction pool. The offchain worker submits a report again, with a new
/// signature, for as long as the chain does not contain it.
pub const LONGEVITY: u64 = 5;

/// Priority of a report in the transaction pool: above transactions that pay fees, below inherents.
pub const PRIORITY: TransactionPriority = TransactionPriority::MAX / 2;

/// The account type of a pallet with signed reports.
pub type AccountIdOf<P> = <<P as SignedReports>::Runtime as frame_system::Config>::AccountId;

/// Why the signature of a report is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, PalletError)]
#[scale_info(capture_docs = "always")]
pub enum ReportRefusal {
    /// The report is signed for another session.
    WrongSession,
    /// The account is not an eligible member of the current session.
    NotAMember,
    /// The signature does not verify under the member's session key.
    BadSignature,
}

impl From<ReportRefusal> for TransactionValidityError {
    fn from(refusal: ReportRefusal) -> Self {
        match refusal {
            ReportRefusal::WrongSession => InvalidTransaction::Stale,
            ReportRefusal::NotAMember => InvalidTransaction::BadSigner,
            ReportRefusal::BadSignature => InvalidTransaction::BadProof,
        }
        .into()
    }
}

/// The validity error of a report that will not become valid. The pool bans the transaction.
pub fn invalid(error: &impl Encode) -> TransactionValidityError {
    InvalidTransaction::Custom(code(error)).into()
}

/// The validity error of a report that may be valid one block later or was valid one block before. The pool drops
/// the transaction without banning it.
pub fn not_yet_valid(error: &impl Encode) -> TransactionValidityError {
    UnknownTransaction::Custom(code(error)).into()
}

/// The code of a pallet error in a `TransactionValidityError`: the index of its variant or, for a nested error,
/// 64 + the index of the nested variant.
fn code(error: &impl Encode) -> u8 {
    error.using_encoded(|bytes| match bytes {
        [_, nested, ..] => nested.saturating_add(64),
        [variant] => *variant,
        [] => 0,
    })
}

/// A pallet whose calls carry reports signed by members of the session.
pub trait SignedReports {
    /// The runtime of the pallet.
    type Runtime: frame_system::Config<Hash = H256> + CreateAuthorizedTransaction<Self::Call>;

    /// The members of the session.
    type Members: SessionMembers<AccountIdOf<Self>>;

    /// The calls of the pallet.
    type Call;

    /// Prefix of the tags that the pallet's transactions provide.
    const TAG_PREFIX: &'static str;

    /// Log target of the pallet.
    const LOG_TARGET: &'static str;

    /// Hash of the genesis block. It is part of what a member signs, so that a signature is valid on one chain.
    fn genesis_hash() -> H256 {
        frame_system::Pallet::<Self::Runtime>::block_hash(BlockNumberFor::<Self::Runtime>::zero())
    }

    /// Checks that a report is signed for the current session. Does not verify the signature.
    fn ensure_current_session<Body>(message: &Message<AccountIdOf<Self>, Body>) -> Result<(), ReportRefusal> {
        ensure!(message.session == Self::Members::session(), ReportRefusal::WrongSession);
        Ok(())
    }

    /// Checks the session of a report, the membership of its author, and its signature. Verifying a signature is
    /// expensive: call it after all other checks.
    fn verify_report<Body: Encode>(
        domain: &[u8],
        message: &Message<AccountIdOf<Self>, Body>,
        signature: &CommitteeSignature,
    ) -> Result<(), ReportRefusal> {
        Self::ensure_current_session(message)?;
        let member = Self::Members::member(&message.member).ok_or(ReportRefusal::NotAMember)?;
        let verified = message.verify(domain, &Self::genesis_hash(), &member.key, signature);
        ensure!(verified, ReportRefusal::BadSignature);
        Ok(())
    }

    /// The validity of an accepted report. The pool holds at most one transaction that provides `tag`.
    fn valid_report(tag: impl Encode) -> TransactionValidityWithRefund {
        ValidTransaction::with_tag_prefix(Self::TAG_PREFIX)
            .priority(PRIORITY)
            .and_provides(tag)
            .longevity(LONGEVITY)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// The eligible members of the current session whose keys are in this node's keystore.
    fn local_members() -> Vec<(AccountIdOf<Self>, CommitteeId)> {
        let members: Vec<_> = Self::Members::members()
            .into_iter()
            .map(|member| (member.account, member.key))
            .collect();
        local_members(&members)
    }

    /// A report of `member` on `job`, for the current session.
    fn report<Body>(member: &AccountIdOf<Self>, job: JobId, body: Body) -> Message<AccountIdOf<Self>, Body> {
        Message {
            member: member.clone(),
            session: Self::Members::session(),
            job,
            body,
        }
    }

    /// Signs a report with `key` from the keystore and submits the call to the transaction pool. Does nothing if
    /// the keystore lacks the key. The pool refuses a report that it already holds; that is logged and ignored.
    fn send_report<Body: Encode>(
        domain: &[u8],
        message: Message<AccountIdOf<Self>, Body>,
        key: &CommitteeId,
        call: impl FnOnce(Message<AccountIdOf<Self>, Body>, CommitteeSignature) -> Self::Call,
    ) {
        let Some(signature) = message.sign(domain, &Self::genesis_hash(), key) else {
            return;
        };
        let call = call(message, signature).into();
        let transaction =
            <Self::Runtime as CreateAuthorizedTransaction<Self::Call>>::create_authorized_transaction(call);
        if SubmitTransaction::<Self::Runtime, Self::Call>::submit_transaction(transaction).is_err() {
            log::debug!(target: Self::LOG_TARGET, "the transaction pool refused a report");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_tells_errors_and_nested_errors_apart() {
        let custom = |code| TransactionValidityError::from(InvalidTransaction::Custom(code));
        assert_eq!(invalid(&ReportRefusal::BadSignature), custom(2));
        assert_eq!(invalid(&(5u8, ReportRefusal::BadSignature)), custom(66));
        assert_eq!(not_yet_valid(&7u8), UnknownTransaction::Custom(7).into());
    }
}
