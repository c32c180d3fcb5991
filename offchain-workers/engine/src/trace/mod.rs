// SPDX-License-Identifier: Apache-2.0
//! The trace of a computation: a Merkle root over its leaves, and S, a second digest of them.
//!
//! A leaf stands for what one part of the computation (a block at a position, the logits after a
//! position, the losses of a sequence) has computed: [`merkle::leaf`] of the BLAKE3 hash of the bits
//! (little-endian binary32) of its operations' rows, one after the other. Hashing the rows of a block
//! together is what lets the hash run in many lanes.
//!
//! S is a keyed BLAKE3 digest of all leaves in order: whoever computed every row has it, and the root
//! does not reveal it, because the root shows only the top of the tree.
//!
//! To open a leaf, compute again with [`Recorder::keeping`] and take the [`Opening`]: it holds the
//! leaf's rows and their proof below the root.

mod parts;

pub(crate) use parts::RowHashes;

use crate::weights::{extend_le_bytes, le_bytes};
use agorai_primitives::{
    merkle::{self, Proof},
    receipt::Trace,
};
use sp_core::H256;

/// Domain of the key of S.
const SECRET: &str = "agorai 2026-11 trace secret v1";

fn leaf(bytes: &[u8]) -> H256 {
    merkle::leaf(blake3::hash(bytes).as_bytes())
}

/// Row `row` of every operation's buffer, each of which has `rows` rows: what a leaf covers.
pub(crate) fn row_bytes(operations: &[&[f32]], rows: usize, row: usize, bytes: &mut Vec<u8>) {
    for values in operations {
        let width = values.len() / rows.max(1);
        extend_le_bytes(bytes, &values[row * width..(row + 1) * width]);
    }
}

/// The leaf of each row of some operations' buffers, into `leaves`.
pub(crate) fn row_leaves(operations: &[&[f32]], rows: usize, leaves: &mut Vec<H256>) {
    let mut bytes = Vec::new();
    leaves.clear();
    leaves.extend((0..rows).map(|row| {
        bytes.clear();
        row_bytes(operations, rows, row, &mut bytes);
        leaf(&bytes)
    }));
}

/// Collects the leaves of a computation.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    leaves: Vec<H256>,
    /// The leaf that is to be opened, and its bytes once they were seen.
    kept: Option<(usize, Vec<u8>)>,
}

impl Recorder {
    /// A recorder that keeps the rows of one leaf.
    pub fn keeping(leaf: usize) -> Self {
        Self {
            kept: Some((leaf, Vec::new())),
            ..Self::default()
        }
    }

    /// Number of leaves.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are no leaves.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Adds `count` leaves that are filled later; returns the first one's place.
    pub(crate) fn reserve(&mut self, count: usize) -> usize {
        let first = self.leaves.len();
        self.leaves.resize(first + count, H256::zero());
        first
    }

    /// Adds the leaf of one row.
    pub fn push(&mut self, row: &[f32]) {
        if self.kept(1).is_some() {
            self.keep(|bytes| extend_le_bytes(bytes, row));
        }
        self.leaves.push(leaf(&le_bytes(row)));
    }

    /// Adds the leaf of each row whose BLAKE3 hash is given.
    pub(crate) fn push_hashes(&mut self, hashes: &[[u8; 32]]) {
        self.leaves
            .extend(hashes.iter().map(|hash| merkle::leaf(hash)));
    }

    /// Which of the next `rows` leaves is the one to be opened.
    pub(crate) fn kept(&self, rows: usize) -> Option<usize> {
        self.kept_among(self.leaves.len(), 1, rows)
    }

    /// Which of `rows` leaves, from `place` on and `stride` apart, is the one to be opened.
    pub(crate) fn kept_among(&self, place: usize, stride: usize, rows: usize) -> Option<usize> {
        let (kept, _) = self.kept.as_ref()?;
        let behind = kept.checked_sub(place)?;
        let row = behind / stride.max(1);
        (behind.is_multiple_of(stride) && row < rows).then_some(row)
    }

    /// Keeps the rows of the leaf that is to be opened.
    pub(crate) fn keep(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some((_, bytes)) = &mut self.kept {
            bytes.clear();
            write(bytes);
        }
    }

    /// Fills reserved leaves from `place` on and `stride` apart.
    pub(crate) fn fill(&mut self, place: usize, stride: usize, leaves: &[H256]) {
        let places = self.leaves.iter_mut().skip(place).step_by(stride.max(1));
        for (to, leaf) in places.zip(leaves) {
            *to = *leaf;
        }
    }

    /// Adds the leaves of another recorder after the own ones, and takes over the one it keeps.
    pub fn append(&mut self, other: Recorder) {
        if let Some((index, bytes)) = other.kept {
            self.kept = Some((self.leaves.len() + index, bytes));
        }
        self.leaves.extend_from_slice(&other.leaves);
    }

    /// The trace of a computation whose output has the hash `result`.
    pub fn finish(&self, result: H256) -> Trace {
        let mut hasher = blake3::Hasher::new_derive_key(SECRET);
        for leaf in &self.leaves {
            hasher.update(leaf.as_bytes());
        }
        Trace {
            result,
            root: merkle::root(&self.leaves),
            secret: H256(hasher.finalize().into()),
        }
    }

    /// The opening of the leaf that this recorder keeps, if it was recorded.
    pub fn opening(&self) -> Option<Opening> {
        let (index, rows) = self.kept.as_ref().filter(|(_, rows)| !rows.is_empty())?;
        Some(Opening {
            proof: merkle::prove(&self.leaves, *index)?,
            rows: rows.clone(),
        })
    }
}

/// One leaf of a trace, opened: everything that its part of the computation computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where the leaf stands below the root.
    pub proof: Proof,
    /// The rows of its operations, one after the other, little-endian binary32.
    pub rows: Vec<u8>,
}

impl Opening {
    /// Whether the rows are what the root's leaf covers.
    pub fn verify(&self, root: &H256) -> bool {
        self.proof.verify(root, &leaf(&self.rows))
    }

    /// Element `index` of the rows; [`crate::decoder::Operation::elements`] says which are whose.
    pub fn element(&self, index: usize) -> Option<f32> {
        let bytes = self.rows.get(4 * index..4 * index + 4)?;
        Some(f32::from_le_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_secret_change_when_one_bit_of_one_row_does() {
        let trace = |last: f32| {
            let mut recorder = Recorder::default();
            recorder.push(&[1.0, 2.0]);
            recorder.push(&[0.0, last]);
            recorder.finish(H256::zero())
        };
        let (zero, negative) = (trace(0.0), trace(-0.0));
        assert_eq!(zero, trace(0.0));
        assert_ne!(zero.root, negative.root);
        assert_ne!(zero.secret, negative.secret);
        assert_ne!(zero.root, zero.secret);
    }

    #[test]
    fn opened_leaf_is_proved_below_the_root_and_a_changed_one_is_not() {
        for kept in 0..6 {
            let mut recorder = Recorder::keeping(kept);
            let place = recorder.reserve(6);
            // Three rows of two blocks.
            for block in 0..2 {
                let at = |i: usize| (10 * block + i) as f32;
                let (a, b) = (
                    [at(0), at(1), at(2)],
                    [at(3), at(4), at(5), at(6), at(7), at(8)],
                );
                let operations: [&[f32]; 2] = [&a, &b];
                let mut leaves = Vec::new();
                row_leaves(&operations, 3, &mut leaves);
                recorder.fill(place + block, 2, &leaves);
                if let Some(row) = recorder.kept_among(place + block, 2, 3) {
                    recorder.keep(|bytes| row_bytes(&operations, 3, row, bytes));
                }
            }
            let root = recorder.finish(H256::zero()).root;
            let mut opening = recorder.opening().unwrap();
            assert!(opening.verify(&root));
            let (row, block) = (kept / 2, kept % 2);
            assert_eq!(opening.element(0), Some((10 * block + row) as f32));
            assert_eq!(opening.element(2), Some((10 * block + 4 + 2 * row) as f32));
            assert_eq!(opening.element(3), None);
            opening.rows[0] ^= 1;
            assert!(!opening.verify(&root));
        }
        assert_eq!(Recorder::keeping(1).opening(), None);
    }
}
