// SPDX-License-Identifier: Apache-2.0
//! A binary Merkle tree over BLAKE3, domain-separated, with proofs.
//!
//! A leaf is `H(0x00 || bytes)`, a node `H(0x01 || left || right)`. The last node of a level with an odd number of nodes
//! moves to the next level unchanged. The root is `H(0x02 || count || top)`, which binds the number of leaves.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sp_core::H256;

fn hash(tag: u8, parts: &[&[u8]]) -> H256 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[tag]);
    for part in parts {
        hasher.update(part);
    }
    H256(hasher.finalize().into())
}

/// Returns the hash of the bytes of a leaf.
pub fn leaf(bytes: &[u8]) -> H256 {
    hash(0, &[bytes])
}

fn node(left: &H256, right: &H256) -> H256 {
    hash(1, &[left.as_bytes(), right.as_bytes()])
}

fn seal(count: u64, top: &H256) -> H256 {
    hash(2, &[&count.to_le_bytes(), top.as_bytes()])
}

fn level_up(level: &[H256]) -> Vec<H256> {
    level
        .chunks(2)
        .map(|pair| {
            if pair.len() == 2 {
                node(&pair[0], &pair[1])
            } else {
                pair[0]
            }
        })
        .collect()
}

/// Returns the root over leaf hashes. The root of zero leaves is defined.
pub fn root(leaves: &[H256]) -> H256 {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level_up(&level);
    }
    seal(leaves.len() as u64, level.first().unwrap_or(&H256::zero()))
}

/// A proof that a leaf has an index below a root.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Proof {
    /// Index of the leaf.
    pub index: u64,
    /// Number of leaves.
    pub count: u64,
    /// Siblings from the leaf upwards. A level on which the node has no sibling contributes none.
    pub siblings: Vec<H256>,
}

/// Returns the proof of leaf `index`, or `None` if there is no such leaf.
pub fn prove(leaves: &[H256], index: usize) -> Option<Proof> {
    leaves.get(index)?;
    let (mut level, mut at, mut siblings) = (leaves.to_vec(), index, Vec::new());
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            siblings.push(*sibling);
        }
        level = level_up(&level);
        at /= 2;
    }
    Some(Proof {
        index: index as u64,
        count: leaves.len() as u64,
        siblings,
    })
}

impl Proof {
    /// Whether `leaf` (a leaf hash) has the index [`Proof::index`] below `root`.
    pub fn verify(&self, root: &H256, leaf: &H256) -> bool {
        if self.index >= self.count {
            return false;
        }
        let (mut at, mut width, mut top) = (self.index, self.count, *leaf);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            if at % 2 == 1 || at + 1 < width {
                let Some(sibling) = siblings.next() else {
                    return false;
                };
                top = if at % 2 == 1 {
                    node(sibling, &top)
                } else {
                    node(&top, sibling)
                };
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none() && seal(self.count, &top) == *root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn proof_verifies_its_leaf_only(count in 1usize..70, pick in any::<prop::sample::Index>()) {
            let leaves: Vec<_> = (0..count as u32).map(|i| leaf(&i.to_le_bytes())).collect();
            let top = root(&leaves);
            let at = pick.index(count);
            let proof = prove(&leaves, at).unwrap();
            prop_assert!(proof.verify(&top, &leaves[at]));
            prop_assert!(!proof.verify(&top, &leaf(b"another")));
            let moved = Proof { index: (proof.index + 1) % count as u64, ..proof.clone() };
            prop_assert!(count == 1 || !moved.verify(&top, &leaves[at]));
            let longer = Proof { count: proof.count + 1, ..proof };
            prop_assert!(!longer.verify(&top, &leaves[at]));
        }
    }
}
