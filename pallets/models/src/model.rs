// SPDX-License-Identifier: Apache-2.0
//! The record of a model. Does not access storage.

use agorai_primitives::{model::Architecture, Balance, VersionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use pallet_support::name::Name;
use scale_info::TypeInfo;

/// Maximum length of the safetensors header of a weights file, in bytes.
pub const MAX_HEADER_BYTES: u64 = 64 * 1024;

/// When a candidate becomes live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum PromotionRule {
    /// Only when the owner promotes it.
    Owner,
    /// When a training round adds it, if it descends from the live version and the sum of the changes of the held-out
    /// loss over the rounds since the live version is negative. The owner may also promote other candidates.
    IfLossFell,
}

/// Whether a model is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ModelStatus {
    /// Its live version is served.
    Served,
    /// It is neither served nor trained. Its income can still be collected.
    Retired,
}

/// A model.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ModelRecord<AccountId> {
    /// The account that created it.
    pub owner: AccountId,
    /// Its name. Names are not unique.
    pub name: Name,
    /// The architecture of all its versions.
    pub architecture: Architecture,
    /// Price of one token of prompt or answer, in plancks.
    pub price: Balance,
    /// When a candidate becomes live.
    pub promotion: PromotionRule,
    /// The live version.
    pub live: VersionIndex,
    /// Number of versions.
    pub versions: u32,
    /// Whether it is served.
    pub status: ModelStatus,
    /// The amount held on the owner's account for this record, in plancks.
    pub deposit: Balance,
}

/// Whether a file of `bytes` bytes can hold the weights of `architecture` in binary32: four bytes for each parameter
/// and a header of at most [`MAX_HEADER_BYTES`].
pub fn is_plausible_length(architecture: &Architecture, bytes: u64) -> bool {
    let parameter_bytes = architecture.parameters().saturating_mul(4);
    (parameter_bytes..=parameter_bytes.saturating_add(MAX_HEADER_BYTES)).contains(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_plausible_when_parameters_and_a_header_fit() {
        let small = Architecture::SMALL;
        let minimum = small.parameters() * 4;
        assert!(is_plausible_length(&small, minimum));
        assert!(is_plausible_length(&small, minimum + MAX_HEADER_BYTES));
        assert!(!is_plausible_length(&small, minimum - 1));
        assert!(!is_plausible_length(&small, minimum + MAX_HEADER_BYTES + 1));
    }
}
