// SPDX-License-Identifier: Apache-2.0
//! The shards of a dataset: their Merkle root and total length.

use agorai_primitives::{merkle, Shard};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{traits::ConstU32, BoundedVec};
use sp_core::H256;

/// The shards of a dataset in order.
pub type Shards = BoundedVec<Shard, ConstU32<256>>;

/// The Merkle root over the shards in order. The leaf of a shard is its SCALE encoding: hash, then length as 8 bytes
/// little-endian.
pub fn root(shards: &[Shard]) -> H256 {
    let leaves: Vec<_> = shards.iter().map(|shard| merkle::leaf(&shard.encode())).collect();
    merkle::root(&leaves)
}

/// The total length of the shards in bytes; `None` if it exceeds 64 bits.
pub fn total_bytes(shards: &[Shard]) -> Option<u64> {
    shards.iter().try_fold(0u64, |sum, shard| sum.checked_add(shard.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    use agorai_primitives::BlobId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn root_depends_on_every_shard_and_on_their_order(
            lengths in prop::collection::vec(1u64..1000, 2..20),
            index in any::<prop::sample::Index>(),
        ) {
            let shards: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(i, bytes)| Shard { blob: BlobId([i as u8; 32]), bytes: *bytes })
                .collect();
            let mut longer = shards.clone();
            longer[index.index(shards.len())].bytes += 1;
            prop_assert_ne!(root(&shards), root(&longer));
            let mut rotated = shards.clone();
            rotated.rotate_left(1);
            prop_assert_ne!(root(&shards), root(&rotated));
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
