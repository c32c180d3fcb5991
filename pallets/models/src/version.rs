// SPDX-License-Identifier: Apache-2.0
//! The record of a version of a model: its weights and their origin. Does not access storage.

use agorai_primitives::{BlobId, DatasetId, PlanId, RoundIndex, VersionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// The datasets in the lineage of a version. Each dataset occurs once.
pub type Lineage = BoundedVec<DatasetId, ConstU32<64>>;

/// Whether a version is, or has been, live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum VersionStatus {
    /// Not live yet.
    Candidate,
    /// Live now.
    Live,
    /// Live earlier.
    Former,
}

/// The origin of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Source {
    /// Uploaded by the owner when the model was created.
    Upload,
    /// Computed by a training round.
    Round {
        /// The version that the round started from.
        parent: VersionIndex,
        /// The plan.
        plan: PlanId,
        /// The round of the plan.
        round: RoundIndex,
        /// Held-out loss of the parent, in micro-nats per token.
        loss_before: u64,
        /// Held-out loss of this version, in micro-nats per token.
        loss_after: u64,
    },
}

/// A version of a model.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct VersionRecord {
    /// The weights.
    pub weights: BlobId,
    /// Their origin.
    pub source: Source,
    /// The datasets on which these weights or any of their ancestors were trained.
    pub datasets: Lineage,
    /// Whether the version is live.
    pub status: VersionStatus,
}
