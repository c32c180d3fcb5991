// SPDX-License-Identifier: Apache-2.0
//! The inputs of a round and the reasons for which it refuses them.

use super::claim_attempt::Output;
use agorai_primitives::BlobId;
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::PalletError;
use scale_info::TypeInfo;

/// An input of a round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoundInput<AccountId> {
    /// A new block.
    Tick,
    /// A member enrols as a worker.
    Enrol {
        /// The member.
        who: AccountId,
    },
    /// A worker commits to its contribution.
    Contribute {
        /// The worker.
        who: AccountId,
        /// The compressed pseudo-gradient.
        payload: BlobId,
    },
    /// A member reports the re-execution of a segment.
    Audit {
        /// The member.
        by: AccountId,
        /// Index of the audited worker.
        worker: u32,
        /// Whether re-execution yields what the worker committed to.
        matches: bool,
    },
    /// An executor claims an output.
    Claim {
        /// The executor.
        by: AccountId,
        /// Number of executors that were drawn earlier.
        attempt: u32,
        /// The output.
        output: Output,
    },
    /// The open claim has ended.
    Verdict {
        /// Whether it was settled.
        settled: bool,
    },
}

/// Why a round refuses an input. The round does not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, PalletError)]
#[scale_info(capture_docs = "always")]
pub enum RoundRefusal {
    /// The report belongs to another phase.
    WrongPhase,
    /// The member is already a worker of the round.
    AlreadyEnrolled,
    /// The round has the maximum number of workers.
    RoundFull,
    /// The account is not a worker of the round.
    NotAWorker,
    /// The worker has already contributed.
    AlreadyContributed,
    /// No contribution with this index is being audited.
    NoAudit,
    /// The member is not an auditor of this contribution.
    NotAnAuditor,
    /// The member has already audited this contribution.
    AlreadyAudited,
    /// The member is not the current executor, or the claim is for another attempt.
    NotExecutor,
    /// The claim was already submitted.
    AlreadyClaimed,
    /// The output does not belong to this phase or to the contributions of this round.
    WrongOutput,
    /// The round has no open claim.
    NoClaim,
}
