// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps and what members send.

use crate::claim::{Answer, Claim, ClaimRefusal};
use agorai_primitives::traits::JobKind;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError, UnknownTransaction};

/// A claim and when something is due for it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OpenClaim<AccountId, BlockNumber> {
    /// The pallet that hears how it ends.
    pub kind: JobKind,
    /// The block in which the draw goes on or the deadline strikes.
    pub due: BlockNumber,
    /// Its state.
    pub claim: Claim<AccountId>,
}

/// The body of a receipt message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Report {
    /// [`Claim::id`]. A job can be claimed again by another executor: what was said about the first claim
    /// must not count for, or against its author under, the second.
    pub claim: H256,
    /// What the member says.
    pub answer: Answer,
}

/// Why a report does not get into a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportRefusal {
    /// Signed for another session.
    WrongSession,
    /// There is no claim on this job.
    NoClaim,
    /// The report is about another claim on this job.
    OtherClaim,
    /// The claim does not take it.
    Claim(ClaimRefusal),
    /// Its author is no member in this session.
    NotAMember,
    /// The signature is not the member's.
    BadSignature,
}

impl ReportRefusal {
    /// The number that a node reports.
    pub fn code(&self) -> u8 {
        match self {
            Self::WrongSession => 1,
            Self::NoClaim => 2,
            Self::OtherClaim => 3,
            Self::NotAMember => 4,
            Self::BadSignature => 5,
            Self::Claim(refusal) => match refusal {
                ClaimRefusal::NotDrawn => 16,
                ClaimRefusal::Drawn => 17,
                ClaimRefusal::NotAsked => 18,
                ClaimRefusal::AnsweredAlready => 19,
                ClaimRefusal::WrongSecret => 20,
                ClaimRefusal::NoQuorum => 21,
                ClaimRefusal::NoCheckers => 22,
                ClaimRefusal::TooManyMembers => 23,
            },
        }
    }
}

impl From<ReportRefusal> for TransactionValidityError {
    fn from(refusal: ReportRefusal) -> Self {
        let code = refusal.code();
        match refusal {
            ReportRefusal::BadSignature => InvalidTransaction::BadProof.into(),
            // A node that is a block behind will see it differently soon. "Unknown" keeps the pool from
            // banning the transaction, "invalid" would.
            ReportRefusal::NoClaim
            | ReportRefusal::Claim(ClaimRefusal::NotDrawn | ClaimRefusal::NotAsked | ClaimRefusal::NoQuorum) => {
                UnknownTransaction::Custom(code).into()
            }
            _ => InvalidTransaction::Custom(code).into(),
        }
    }
}
