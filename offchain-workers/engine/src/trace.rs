// SPDX-License-Identifier: Apache-2.0
//! The trace of a computation: a Merkle root over its leaves, and S, a second digest of them.
//!
//! A leaf stands for what one part of the computation (a block at a position, the logits after a
//! position, the losses of a sequence) has computed: [`merkle::leaf`] of the BLAKE3 hash of the bits
//! (little-endian binary32) of its operations' rows, one after the other. BLAKE3 is a tree over 1 KiB
//! chunks itself, so one operation's row is proved below a leaf by a slice of that tree; hashing the
//! rows of a block together is what lets the hash run in many lanes.
//!
//! S is a keyed BLAKE3 digest of all leaves in order: whoever computed every row has it, and the root
//! does not reveal it, because the root shows only the top of the tree.

use crate::{parallel::Means, weights::extend_le_bytes};
use agorai_primitives::{merkle, receipt::Trace};
use sp_core::H256;

/// Domain of the key of S.
const SECRET: &str = "agorai 2026-11 trace secret v1";

fn leaf(bytes: &[u8]) -> H256 {
    merkle::leaf(blake3::hash(bytes).as_bytes())
}

/// Collects the leaves of a computation.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    leaves: Vec<H256>,
    bytes: Vec<u8>,
}

impl Recorder {
    /// Of a computation that has not begun.
    pub fn new() -> Self {
        Self::default()
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
        self.bytes.clear();
        extend_le_bytes(&mut self.bytes, row);
        self.leaves.push(leaf(&self.bytes));
    }

    /// Fills one reserved leaf for each row: row i's is at `place + i * stride`. It covers that row
    /// of every operation's buffer, given with its width.
    pub(crate) fn rows(
        &mut self,
        means: Means,
        place: usize,
        stride: usize,
        rows: usize,
        operations: &[(&[f32], usize)],
    ) {
        let Some(leaves) = self.leaves.get_mut(place..) else {
            return;
        };
        // A value is hashed in about the time of 16 multiply-adds.
        let values: usize = operations.iter().map(|(buffer, _)| buffer.len()).sum();
        let means = means.for_work(16 * values);
        let together = rows.div_ceil(means.threads);
        let work = |first: usize, leaves: &mut [H256], bytes: &mut Vec<u8>| {
            let rows = (first..rows).take(together);
            for (row, place) in rows.zip(leaves.iter_mut().step_by(stride)) {
                bytes.clear();
                for (buffer, width) in operations {
                    extend_le_bytes(bytes, &buffer[row * width..(row + 1) * width]);
                }
                *place = leaf(bytes);
            }
        };
        if means.threads == 1 {
            return work(0, leaves, &mut self.bytes);
        }
        let parts = leaves.chunks_mut(stride * together).take(means.threads);
        let tasks = parts.enumerate().map(|(task, leaves)| {
            move || {
                work(task * together, leaves, &mut Vec::new());
                Ok(())
            }
        });
        // Hashing cannot fail.
        let _ = means.run(tasks);
    }

    /// Adds the leaves of another recorder after the own ones.
    pub fn append(&mut self, other: &Recorder) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_secret_change_when_one_bit_of_one_row_does() {
        let trace = |last: f32| {
            let mut recorder = Recorder::new();
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
}
