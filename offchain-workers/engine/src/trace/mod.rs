// SPDX-License-Identifier: Apache-2.0
//! The trace of a computation: a Merkle root over its leaves, and S, a second digest of them.
//!
//! A leaf stands for one step of the computation (a block at a position, the draw of a token, the losses of a
//! sequence) and covers what the step hands on to others: [`merkle::leaf`] of the BLAKE3 hash of the bits of its
//! rows, one after the other. What is computed within a step follows from what it takes, so it need not be hashed
//! by everybody, every time: two traces of the same answer that differ in a leaf, and in none before it, took the same
//! and computed something differently within this one step, and one of them cannot show how it follows. (What is within
//! is committed to when there is a dispute, as in Verde, Arun et al., 2025.)
//!
//! S is a keyed BLAKE3 digest of all leaves in order: whoever computed every step has it, and the root
//! does not reveal it, because the root shows only the top of the tree.
//!
//! To open a leaf, compute again with [`Recorder::keeping`] and take the [`Opening`]: it holds what the leaf covers,
//! the proof below the root, and what was computed within the step.

use crate::weights::{extend_le_bytes, le_bytes};
use agorai_primitives::{
    merkle::{self, Proof},
    receipt::Trace,
};
use sp_core::H256;

/// Domain of the key of S.
const SECRET: &str = "agorai 2026-11 trace secret v2";

fn leaf(bytes: &[u8]) -> H256 {
    merkle::leaf(blake3::hash(bytes).as_bytes())
}

/// Row `row` of some buffers, each of which has `rows` rows, one after the other.
pub(crate) fn row_bytes(buffers: &[&[f32]], rows: usize, row: usize, bytes: &mut Vec<u8>) {
    for values in buffers {
        let width = values.len() / rows.max(1);
        extend_le_bytes(bytes, &values[row * width..(row + 1) * width]);
    }
}

/// The leaf of each row of some buffers, into `leaves`.
pub(crate) fn row_leaves(buffers: &[&[f32]], rows: usize, leaves: &mut Vec<H256>) {
    let mut bytes = Vec::new();
    leaves.clear();
    leaves.extend((0..rows).map(|row| {
        bytes.clear();
        row_bytes(buffers, rows, row, &mut bytes);
        leaf(&bytes)
    }));
}

/// Collects the leaves of a computation.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    leaves: Vec<H256>,
    kept: Option<Kept>,
}

/// A leaf that is to be opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    place: usize,
    /// What it covers, once it was seen.
    pub rows: Vec<u8>,
    /// What was computed within its step.
    pub within: Vec<u8>,
}

impl Recorder {
    /// A recorder that keeps what one leaf covers.
    pub fn keeping(leaf: usize) -> Self {
        let kept = Kept {
            place: leaf,
            ..Kept::default()
        };
        Self {
            kept: Some(kept),
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
        self.push_bytes(&le_bytes(row));
    }

    /// Adds the leaf that covers some bytes.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        if let Some((_, kept)) = self.kept_among(self.leaves.len(), 1, 1) {
            kept.rows = bytes.to_vec();
        }
        self.leaves.push(leaf(bytes));
    }

    /// Which of `rows` leaves, from `place` on and `stride` apart, is the one to be opened, and where to put what
    /// it covers.
    pub(crate) fn kept_among(&mut self, place: usize, stride: usize, rows: usize) -> Option<(usize, &mut Kept)> {
        let kept = self.kept.as_mut()?;
        let behind = kept.place.checked_sub(place)?;
        let row = behind / stride.max(1);
        (behind.is_multiple_of(stride) && row < rows).then_some((row, kept))
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
        if let Some(mut kept) = other.kept {
            kept.place = kept.place.saturating_add(self.leaves.len());
            self.kept = Some(kept);
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
        let kept = self.kept.as_ref().filter(|kept| !kept.rows.is_empty())?;
        Some(Opening {
            proof: merkle::prove(&self.leaves, kept.place)?,
            rows: kept.rows.clone(),
            within: kept.within.clone(),
        })
    }
}

/// One leaf of a trace, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where the leaf stands below the root.
    pub proof: Proof,
    /// What the leaf covers: rows one after the other, little endian.
    pub rows: Vec<u8>,
    /// What was computed within the leaf's step, if anything is told apart there: the rows of its operations, one
    /// after the other, little-endian binary32. The root does not cover them: they are what the opener says, and those
    /// that are [handed on](crate::decoder::Operation::handed_on) must be what the leaf covers.
    pub within: Vec<u8>,
}

impl Opening {
    /// Whether the rows are what the root's leaf covers.
    pub fn verify(&self, root: &H256) -> bool {
        self.proof.verify(root, &leaf(&self.rows))
    }

    /// Element `index` of the operations, which the root does not cover; [`crate::decoder::Operation::elements`] says
    /// which are whose.
    pub fn element(&self, index: usize) -> Option<f32> {
        let bytes = self.within.chunks_exact(4).nth(index)?;
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
                let (a, b) = ([at(0), at(1), at(2)], [at(3), at(4), at(5), at(6), at(7), at(8)]);
                let buffers: [&[f32]; 2] = [&a, &b];
                let mut leaves = Vec::new();
                row_leaves(&buffers, 3, &mut leaves);
                recorder.fill(place + block, 2, &leaves);
                if let Some((row, kept)) = recorder.kept_among(place + block, 2, 3) {
                    row_bytes(&buffers, 3, row, &mut kept.rows);
                    row_bytes(&buffers[1..], 3, row, &mut kept.within);
                }
            }
            let root = recorder.finish(H256::zero()).root;
            let mut opening = recorder.opening().unwrap();
            assert!(opening.verify(&root));
            let (row, block) = (kept / 2, kept % 2);
            let values = [row, 3 + 2 * row, 4 + 2 * row].map(|i| (10 * block + i) as f32);
            assert_eq!(opening.rows, *le_bytes(&values));
            assert_eq!(opening.element(0), Some(values[1]));
            assert_eq!(opening.element(1), Some(values[2]));
            assert_eq!(opening.element(2), None);
            opening.rows[0] ^= 1;
            assert!(!opening.verify(&root));
        }
        assert_eq!(Recorder::keeping(1).opening(), None);
    }
}
