// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps about a dataset, and the checks on it. Knows no storage.

use agorai_primitives::{merkle, Balance, BlobId, DatasetId, Shard};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;

/// A dataset's name: UTF-8, at most 64 bytes.
pub type Name = BoundedVec<u8, ConstU32<64>>;
/// An SPDX licence expression, at most 64 bytes.
pub type Licence = BoundedVec<u8, ConstU32<64>>;
/// The shards in order.
pub type Shards = BoundedVec<Shard, ConstU32<256>>;
/// Contributors and their weights, each account once.
pub type Contributors<AccountId> = BoundedVec<(AccountId, u32), ConstU32<32>>;

/// Who may train on a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum AccessTerms {
    /// Everybody.
    Open,
    /// Its owner.
    OwnerOnly,
}

/// Whether a dataset may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum DatasetStatus {
    /// It may be used, as far as its access terms go.
    InUse,
    /// Nothing new may use it.
    Withdrawn,
}

/// A dataset.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DatasetRecord<AccountId> {
    /// Who published it.
    pub owner: AccountId,
    /// Its name, not unique.
    pub name: Name,
    /// Of what it is a newer version.
    pub parent: Option<DatasetId>,
    /// Hash of its Croissant manifest.
    pub manifest: BlobId,
    /// Its licence.
    pub licence: Licence,
    /// [`root`] of its shards.
    pub root: H256,
    /// Sum of its shards' bytes.
    pub bytes: u64,
    /// Its content.
    pub shards: Shards,
    /// Who made it.
    pub contributors: Contributors<AccountId>,
    /// Who may train on it.
    pub access: AccessTerms,
    /// Whether it may be used.
    pub status: DatasetStatus,
    /// What is held on the owner for this record.
    pub deposit: Balance,
}

/// Merkle root over the shards in order; the leaf of a shard is its SCALE encoding (hash, then
/// length in 8 bytes little-endian).
pub fn root(shards: &[Shard]) -> H256 {
    let leaves: Vec<_> = shards.iter().map(|shard| merkle::leaf(&shard.encode())).collect();
    merkle::root(&leaves)
}

/// Sum of the shards' bytes; `None` where it is beyond 64 bits.
pub fn total_bytes(shards: &[Shard]) -> Option<u64> {
    shards.iter().try_fold(0u64, |sum, shard| sum.checked_add(shard.bytes))
}

/// Whether a name is readable text.
pub fn is_name(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Whether a text uses the characters of an SPDX licence expression (SPDX 2.3, annex D): words of
/// letters, digits and `-.+:`, parentheses, single spaces between them.
pub fn is_licence(licence: &[u8]) -> bool {
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || b"-.+:() ".contains(c);
    let spaced = licence.split(|c| *c == b' ').all(|word| !word.is_empty());
    spaced && licence.iter().all(allowed) && licence.iter().any(u8::is_ascii_alphanumeric)
}

/// Whether no value occurs twice.
pub fn without_twins<V: Ord>(mut values: Vec<V>) -> bool {
    values.sort_unstable();
    values.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn licence_is_refused_when_it_is_no_spdx_expression() {
        for good in [
            "MIT",
            "Apache-2.0",
            "GPL-2.0+",
            "(MIT OR Apache-2.0)",
            "LicenseRef-my.own",
        ] {
            assert!(is_licence(good.as_bytes()), "{good}");
        }
        for bad in ["", " MIT", "MIT ", "MIT  OR X", "MIT/X11", "M\nT", "()", "§"] {
            assert!(!is_licence(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn name_is_refused_when_it_is_no_text() {
        assert!(is_name("Märchen".as_bytes()));
        assert!(!is_name(b"a\0b"));
        assert!(!is_name(&[0xff, 0xfe]));
    }

    proptest! {
        #[test]
        fn root_depends_on_every_shard_and_on_their_order(
            lengths in prop::collection::vec(1u64..1000, 2..20),
            pick in any::<prop::sample::Index>(),
        ) {
            let shards: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(i, bytes)| Shard { blob: BlobId([i as u8; 32]), bytes: *bytes })
                .collect();
            let at = pick.index(shards.len());
            let mut longer = shards.clone();
            longer[at].bytes += 1;
            prop_assert_ne!(root(&shards), root(&longer));
            let mut turned = shards.clone();
            turned.rotate_left(1);
            prop_assert_ne!(root(&shards), root(&turned));
        }

        #[test]
        fn twins_are_found_wherever_they_stand(values in prop::collection::vec(0u8..20, 0..12)) {
            let distinct: std::collections::BTreeSet<_> = values.iter().collect();
            prop_assert_eq!(without_twins(values.clone()), distinct.len() == values.len());
        }
    }

    #[test]
    fn total_is_refused_when_it_overflows() {
        let shard = |bytes| Shard {
            blob: BlobId::default(),
            bytes,
        };
        assert_eq!(total_bytes(&[shard(3), shard(4)]), Some(7));
        assert_eq!(total_bytes(&[shard(u64::MAX), shard(1)]), None);
    }
}
