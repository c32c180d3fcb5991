// SPDX-License-Identifier: Apache-2.0
//! The claim of phase `Score` or `Aggregate`: its executors, its output and its status.

use super::rules::MAX_ATTEMPTS;
use agorai_primitives::{
    training::{Score, MAX_WORKERS},
    BlobId, JobId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// The scores of a round, in ascending order of the workers' indices.
pub type Scores = BoundedVec<Score, ConstU32<MAX_WORKERS>>;

/// New weights and the held-out losses before and after the round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct NewWeights {
    /// The new weights.
    pub weights: BlobId,
    /// Held-out loss of the base weights, in micro-nats per token.
    pub loss_before: u64,
    /// Held-out loss of the new weights, in micro-nats per token.
    pub loss_after: u64,
}

/// The output that an executor claims.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Output {
    /// The output of phase `Score`.
    Scores(Scores),
    /// The output of phase `Aggregate`.
    Weights(NewWeights),
}

/// The status of the claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ClaimStatus {
    /// The executor has to submit it.
    Owed,
    /// It is being checked.
    Open,
    /// It was settled.
    Settled,
    /// It was refused or remained unresolved.
    Failed,
}

/// The claim of phase `Score` or `Aggregate`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimAttempt<AccountId> {
    /// The job of the claim. The pallet sets it because it depends on the plan.
    pub job: JobId,
    /// The executors drawn so far. The last one has to submit the claim.
    pub executors: BoundedVec<AccountId, ConstU32<MAX_ATTEMPTS>>,
    /// The status of the claim.
    pub status: ClaimStatus,
    /// The output claimed; `None` while the claim is owed.
    pub output: Option<Output>,
}

impl<AccountId> Default for ClaimAttempt<AccountId> {
    /// A claim without an executor.
    fn default() -> Self {
        Self {
            job: JobId::zero(),
            executors: BoundedVec::new(),
            status: ClaimStatus::Owed,
            output: None,
        }
    }
}
