// SPDX-License-Identifier: Apache-2.0
//! A worker of a round and the audit of its contribution.

use agorai_primitives::{BlobId, BlockNumber};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Why a contribution is dropped from its round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum DropReason {
    /// The worker did not contribute before the deadline. It has to enrol again.
    Silent,
    /// No auditor reported.
    Unaudited,
    /// After an auditor reported a mismatch or did not report, too few members reported in the widened audit.
    Undecided,
    /// Re-execution yields another contribution; the worker was slashed.
    Cheated,
    /// It did not reduce both the loss on held-out data and the loss on the worker's own data.
    NoGain,
    /// Another worker committed to the same payload earlier.
    Copied,
}

/// The status of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum WorkerStatus {
    /// It has not contributed yet.
    Training,
    /// Its contribution is being audited.
    Contributed,
    /// Its contribution passed the audit and, after phase `Score`, has a gain.
    Accepted,
    /// Its contribution is dropped.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// The audit of a contribution. Sets of auditors are bit masks: bit i is entry i of [`super::Round::voters`].
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Audit {
    /// The segment that the auditors re-execute, from 0.
    pub segment: u32,
    /// The block in which the audit ends.
    pub deadline: BlockNumber,
    /// Whether the audit was widened to all voters.
    pub widened: bool,
    /// The auditors.
    pub asked: u64,
    /// The auditors that found what the worker committed to.
    pub matches: u64,
    /// The auditors that found something else.
    pub differs: u64,
}

/// A worker of a round. It is identified by its index in [`super::Round::workers`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Worker<AccountId> {
    /// The member.
    pub account: AccountId,
    /// Its status.
    pub status: WorkerStatus,
    /// Number of workers that contributed earlier in the round.
    pub order: u32,
    /// The payload that it committed to; zero before it contributes.
    pub payload: BlobId,
    /// The audit of its contribution.
    pub audit: Audit,
}

impl<AccountId> Worker<AccountId> {
    /// A worker that has not contributed.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            status: WorkerStatus::Training,
            order: 0,
            payload: BlobId::default(),
            audit: Audit::default(),
        }
    }
}
