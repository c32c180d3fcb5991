// SPDX-License-Identifier: Apache-2.0
//! The record of a dataset. Does not access storage.

use crate::{licence::Licence, shards::Shards};
use agorai_primitives::{Balance, BlobId, DatasetId};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use pallet_support::name::Name;
use scale_info::TypeInfo;
use sp_core::H256;

/// Contributors and their weights. Each account occurs once.
pub type Contributors<AccountId> = BoundedVec<(AccountId, u32), ConstU32<32>>;

/// Which accounts may train on a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum AccessTerms {
    /// Any account.
    Open,
    /// Only the dataset's owner.
    OwnerOnly,
}

/// Whether a dataset is available for new training.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum DatasetStatus {
    /// Available, within its access terms.
    InUse,
    /// Not available for new training or as a parent.
    Withdrawn,
}

/// A published dataset.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DatasetRecord<AccountId> {
    /// The account that published it.
    pub owner: AccountId,
    /// Its name. Names are not unique.
    pub name: Name,
    /// The dataset of which this one is a newer version.
    pub parent: Option<DatasetId>,
    /// Hash of its Croissant manifest.
    pub manifest: BlobId,
    /// SPDX expression of its licence.
    pub licence: Licence,
    /// Merkle root over its shards: [`crate::shards::root`].
    pub root: H256,
    /// Total length of its shards, in bytes.
    pub bytes: u64,
    /// Its shards in order.
    pub shards: Shards,
    /// The accounts that receive the data's part of fees, with their weights.
    pub contributors: Contributors<AccountId>,
    /// Which accounts may train on it.
    pub access: AccessTerms,
    /// Whether it is available for new training.
    pub status: DatasetStatus,
    /// The amount held on the owner's account for this record, in plancks.
    pub deposit: Balance,
}

/// Whether no value occurs twice.
pub fn all_distinct<V: Ord>(mut values: Vec<V>) -> bool {
    values.sort_unstable();
    values.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn duplicates_are_found_at_any_position(values in prop::collection::vec(0u8..20, 0..12)) {
            let distinct: std::collections::BTreeSet<_> = values.iter().collect();
            prop_assert_eq!(all_distinct(values.clone()), distinct.len() == values.len());
        }
    }
}
