// SPDX-License-Identifier: Apache-2.0
//! The trace of a computation: a Merkle root over its leaves, and a secret digest of them.
//!
//! A leaf stands for one step of the computation (a block at a position, the draw of a token, the losses of a sequence)
//! and covers the step's outputs: [`merkle::leaf`] of the BLAKE3 hash of the bits of its rows, one after the other. The
//! intermediate results of a step follow from its inputs and need not be hashed by every validator every time: if two
//! traces of the same answer first differ in one leaf, both steps had the same inputs, and one of the two cannot show
//! how its outputs follow from them. (Intermediate results are committed to in a dispute only, as in Verde, Arun et
//! al., 2025.)
//!
//! The trace secret is a keyed BLAKE3 digest of all leaves in order: a validator that computed every step knows it, and
//! the root does not reveal it, because the root is public but the leaves are not.
//!
//! To open a leaf, repeat the computation with [`Recorder::retaining`] and take the [`Opening`]: the bytes that the
//! leaf covers, its Merkle proof, and the intermediate results of the step.

use crate::bytes::{extend_le_bytes, le_bytes};
use agorai_primitives::{
    merkle::{self, Proof},
    receipt::Trace,
};
use sp_core::H256;

/// Domain of the key of the trace secret.
const SECRET: &str = "agorai 2026-11 trace secret v2";

fn leaf(bytes: &[u8]) -> H256 {
    merkle::leaf(blake3::hash(bytes).as_bytes())
}

/// Appends row `row` of each buffer to `bytes`; every buffer has `rows` rows.
pub(crate) fn row_bytes(buffers: &[&[f32]], rows: usize, row: usize, bytes: &mut Vec<u8>) {
    for values in buffers {
        let width = values.len() / rows.max(1);
        extend_le_bytes(bytes, &values[row * width..(row + 1) * width]);
    }
}

/// Replaces `leaves` by the leaf of each row of some buffers.
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
    retained: Option<Retained>,
}

/// The leaf that is to be opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retained {
    index: usize,
    /// The bytes that the leaf covers; empty until it is recorded.
    pub rows: Vec<u8>,
    /// The rows of all operations of its step.
    pub operations: Vec<u8>,
}

impl Recorder {
    /// Returns a recorder that retains the contents of the leaf with an index.
    pub fn retaining(leaf: usize) -> Self {
        let retained = Retained {
            index: leaf,
            ..Retained::default()
        };
        Self {
            retained: Some(retained),
            ..Self::default()
        }
    }

    /// Returns the number of leaves.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Returns whether there are no leaves.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Adds `count` leaves to be filled later. Returns the index of the first one.
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
        if let Some((_, retained)) = self.retained_among(self.leaves.len(), 1, 1) {
            retained.rows = bytes.to_vec();
        }
        self.leaves.push(leaf(bytes));
    }

    /// Returns which of `rows` leaves, from index `first` on and `stride` apart, is to be opened, and its contents.
    pub(crate) fn retained_among(
        &mut self,
        first: usize,
        stride: usize,
        rows: usize,
    ) -> Option<(usize, &mut Retained)> {
        let retained = self.retained.as_mut()?;
        let offset = retained.index.checked_sub(first)?;
        let row = offset / stride.max(1);
        (offset.is_multiple_of(stride) && row < rows).then_some((row, retained))
    }

    /// Fills reserved leaves from index `first` on and `stride` apart.
    pub(crate) fn fill(&mut self, first: usize, stride: usize, leaves: &[H256]) {
        let reserved = self.leaves.iter_mut().skip(first).step_by(stride.max(1));
        for (to, leaf) in reserved.zip(leaves) {
            *to = *leaf;
        }
    }

    /// Appends the leaves of another recorder, and its retained leaf if it has one.
    pub fn append(&mut self, other: Recorder) {
        if let Some(mut retained) = other.retained {
            retained.index = retained.index.saturating_add(self.leaves.len());
            self.retained = Some(retained);
        }
        self.leaves.extend_from_slice(&other.leaves);
    }

    /// Returns the trace of a computation whose result has the hash `result`.
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

    /// Returns the opening of the retained leaf, if it was recorded.
    pub fn opening(&self) -> Option<Opening> {
        let retained = self.retained.as_ref().filter(|retained| !retained.rows.is_empty())?;
        Some(Opening {
            proof: merkle::prove(&self.leaves, retained.index)?,
            rows: retained.rows.clone(),
            operations: retained.operations.clone(),
        })
    }
}

/// The opening of one leaf of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The Merkle proof of the leaf.
    pub proof: Proof,
    /// The bytes that the leaf covers: rows one after the other, little endian.
    pub rows: Vec<u8>,
    /// The rows of all operations of a block at a position, one after the other, little-endian binary32; empty for
    /// other leaves. The root does not cover them: they are the opener's claim, and its
    /// [outputs](crate::decoder::Operation::outputs) must be the bytes that the leaf covers.
    pub operations: Vec<u8>,
}

impl Opening {
    /// Returns whether `rows` is what the root's leaf covers.
    pub fn verify(&self, root: &H256) -> bool {
        self.proof.verify(root, &leaf(&self.rows))
    }

    /// Returns element `index` of the operations, which the root does not cover;
    /// [`Operation::elements`](crate::decoder::Operation::elements) returns the range of each operation.
    pub fn element(&self, index: usize) -> Option<f32> {
        let bytes = self.operations.chunks_exact(4).nth(index)?;
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
        for index in 0..6 {
            let mut recorder = Recorder::retaining(index);
            let first = recorder.reserve(6);
            // Three rows of two blocks.
            for block in 0..2 {
                let at = |i: usize| (10 * block + i) as f32;
                let (a, b) = ([at(0), at(1), at(2)], [at(3), at(4), at(5), at(6), at(7), at(8)]);
                let buffers: [&[f32]; 2] = [&a, &b];
                let mut leaves = Vec::new();
                row_leaves(&buffers, 3, &mut leaves);
                recorder.fill(first + block, 2, &leaves);
                if let Some((row, retained)) = recorder.retained_among(first + block, 2, 3) {
                    row_bytes(&buffers, 3, row, &mut retained.rows);
                    row_bytes(&buffers[1..], 3, row, &mut retained.operations);
                }
            }
            let root = recorder.finish(H256::zero()).root;
            let mut opening = recorder.opening().unwrap();
            assert!(opening.verify(&root));
            let (row, block) = (index / 2, index % 2);
            let values = [row, 3 + 2 * row, 4 + 2 * row].map(|i| (10 * block + i) as f32);
            assert_eq!(opening.rows, *le_bytes(&values));
            assert_eq!(opening.element(0), Some(values[1]));
            assert_eq!(opening.element(1), Some(values[2]));
            assert_eq!(opening.element(2), None);
            opening.rows[0] ^= 1;
            assert!(!opening.verify(&root));
        }
        assert_eq!(Recorder::retaining(1).opening(), None);
    }
}
