// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps about a model, and the checks on it. Knows no storage.

use agorai_primitives::{model::Architecture, Balance, BlobId, DatasetId, PlanId, RoundIndex, VersionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// A model's name: UTF-8, at most 64 bytes.
pub type Name = BoundedVec<u8, ConstU32<64>>;
/// The datasets in the lineage of a version, each once.
pub type Lineage = BoundedVec<DatasetId, ConstU32<64>>;

/// Most bytes that a file of weights has besides its parameters (the safetensors header).
pub const MAX_HEADER_BYTES: u64 = 64 * 1024;

/// When a candidate becomes live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum PromotionRule {
    /// When the owner says so.
    Owner,
    /// As soon as it comes out of a round, if it descends from the live version and the held-out
    /// loss fell in the sum over the rounds in between. The owner may promote others.
    IfLossFell,
}

/// Whether a model is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ModelStatus {
    /// Its live version is served.
    Served,
    /// It is neither served nor trained any more. Its income can still be collected.
    Retired,
}

/// A model.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ModelRecord<AccountId> {
    /// Who created it.
    pub owner: AccountId,
    /// Its name, not unique.
    pub name: Name,
    /// The architecture of all its versions.
    pub architecture: Architecture,
    /// Price of a token of prompt or answer.
    pub price: Balance,
    /// When a candidate becomes live.
    pub promotion: PromotionRule,
    /// The version that is served.
    pub live: VersionIndex,
    /// Number of versions.
    pub versions: u32,
    /// Whether it is served.
    pub status: ModelStatus,
    /// What is held on the owner for this record.
    pub deposit: Balance,
}

/// Whether a version is, or has been, live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum VersionStatus {
    /// Never live yet.
    Candidate,
    /// Live now.
    Live,
    /// Was live before.
    Former,
}

/// Where a version comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Source {
    /// Uploaded by the owner when the model was created.
    Upload,
    /// A round of training.
    Round {
        /// The version that it started from.
        parent: VersionIndex,
        /// The plan.
        plan: PlanId,
        /// Its round.
        round: RoundIndex,
        /// Held-out loss before, in micro-nats per token.
        loss_before: u64,
        /// Held-out loss after.
        loss_after: u64,
    },
}

/// A weights version.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct VersionRecord {
    /// The weights.
    pub weights: BlobId,
    /// Where they come from.
    pub source: Source,
    /// All datasets that they, or the versions before them, have seen.
    pub datasets: Lineage,
    /// Whether it is live.
    pub status: VersionStatus,
}

/// Whether a file of `bytes` may hold the weights of `architecture` in binary32.
pub fn is_plausible_length(architecture: &Architecture, bytes: u64) -> bool {
    let least = architecture.parameters().saturating_mul(4);
    (least..=least.saturating_add(MAX_HEADER_BYTES)).contains(&bytes)
}

/// Whether a name is readable text.
pub fn is_name(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_plausible_when_parameters_and_a_header_fit() {
        let small = Architecture::SMALL;
        let least = small.parameters() * 4;
        assert!(is_plausible_length(&small, least));
        assert!(is_plausible_length(&small, least + MAX_HEADER_BYTES));
        assert!(!is_plausible_length(&small, least - 1));
        assert!(!is_plausible_length(&small, least + MAX_HEADER_BYTES + 1));
    }
}
