// SPDX-License-Identifier: Apache-2.0
//! The phases of a round, and the reasons for which it is void.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The phase of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Phase {
    /// Members enrol as workers.
    Enrol,
    /// Workers train and commit to their contributions.
    Train,
    /// Auditors re-execute drawn segments of the contributions.
    Audit,
    /// The contributions are scored.
    Score,
    /// The new weights are computed.
    Aggregate,
    /// The round has ended.
    Done,
}

/// Why a round ends without new weights. No worker is paid; no account is slashed for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum VoidReason {
    /// Fewer workers enrolled than the plan's minimum.
    TooFewWorkers,
    /// The corpus has too few sequences for the number of workers.
    TooLittleData,
    /// Fewer workers contributed than the plan's minimum.
    TooFewContributions,
    /// No contribution passed its audit.
    NothingAudited,
    /// No contribution reduced the loss.
    NoGain,
    /// No executor submitted a claim that was settled.
    NoExecutor,
    /// The model refused the new version: it is retired or has its maximum number of versions.
    ModelRefused,
}
