// SPDX-License-Identifier: Apache-2.0
//! The record of a worker's contribution. Does not access storage.

use agorai_primitives::{
    model::Architecture,
    training::{Contribution, Recipe, MAX_SEGMENTS, MAX_WORKERS},
    BlobId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// Upper bound of the bytes of a payload for each parameter: a value and its index.
const PAYLOAD_BYTES_PER_PARAMETER: u64 = 8;
/// Upper bound of the bytes of a payload besides its values.
const PAYLOAD_HEADER_BYTES: u64 = 64 * 1024;

/// The error-feedback buffers of the accepted contributions of a round, by worker.
pub type Feedbacks<AccountId> = BoundedVec<(AccountId, BlobId), ConstU32<MAX_WORKERS>>;

/// A contribution, stored until its round ends.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ContributionRecord {
    /// The compressed pseudo-gradient.
    pub payload: BlobId,
    /// Length of the payload in bytes.
    pub payload_bytes: u64,
    /// The error-feedback buffer after the round.
    pub error_feedback: BlobId,
    /// The training state after each segment.
    pub states: BoundedVec<BlobId, ConstU32<MAX_SEGMENTS>>,
    /// Mean loss of the first inner step, in micro-nats per token.
    pub loss_first: u64,
    /// Mean loss of the last inner step, in micro-nats per token.
    pub loss_last: u64,
}

impl From<ContributionRecord> for Contribution {
    fn from(record: ContributionRecord) -> Self {
        Self {
            payload: record.payload,
            payload_bytes: record.payload_bytes,
            error_feedback: record.error_feedback,
            states: record.states.into_inner(),
            loss_first: record.loss_first,
            loss_last: record.loss_last,
        }
    }
}

impl ContributionRecord {
    /// The record of a contribution; `None` if it has more than [`MAX_SEGMENTS`] states.
    pub fn new(contribution: Contribution) -> Option<Self> {
        Some(Self {
            payload: contribution.payload,
            payload_bytes: contribution.payload_bytes,
            error_feedback: contribution.error_feedback,
            states: contribution.states.try_into().ok()?,
            loss_first: contribution.loss_first,
            loss_last: contribution.loss_last,
        })
    }

    /// Whether the contribution has one state per segment, no zero hash, and a payload that is not empty and at most as
    /// long as a dense one with indices.
    pub fn fits(&self, recipe: &Recipe, architecture: &Architecture) -> bool {
        let max_payload_bytes = architecture
            .parameters()
            .saturating_mul(PAYLOAD_BYTES_PER_PARAMETER)
            .saturating_add(PAYLOAD_HEADER_BYTES);
        let zero = BlobId::default();
        self.states.len() as u32 == recipe.segments()
            && !self.states.contains(&zero)
            && self.payload != zero
            && self.error_feedback != zero
            && (1..=max_payload_bytes).contains(&self.payload_bytes)
    }
}
