// SPDX-License-Identifier: Apache-2.0
//! Hashes of rows that are seen in parts. BLAKE3 is a tree over chunks of 1 KiB, so the parts of a row can be
//! hashed where and when they are made, and their subtrees put together afterwards.

use crate::{backend::COLUMNS, weights::le_bytes};
use blake3::hazmat::{
    left_subtree_len, merge_subtrees_non_root, merge_subtrees_root, ChainingValue, HasherExt, Mode,
};
use std::sync::{Mutex, PoisonError};

/// Bytes of a part: a power of two of chunks, so that a part is a subtree.
const PART: usize = 4 * COLUMNS;
const _: () = assert!(PART.is_power_of_two() && PART >= blake3::CHUNK_LEN);

/// The hashes of some rows of binary32 values, little endian, that are seen in parts of [`COLUMNS`] values in any
/// order and on any thread.
pub(crate) struct RowHashes {
    width: usize,
    /// A value for each part of each row, or the hash of a row that is one part.
    parts: Mutex<Vec<ChainingValue>>,
}

impl RowHashes {
    /// Of so many rows of `width` values.
    pub fn new(rows: usize, width: usize) -> Self {
        let parts = width.div_ceil(COLUMNS);
        Self {
            width,
            parts: Mutex::new(vec![ChainingValue::default(); rows * parts]),
        }
    }

    /// Takes the values of a row from `first` on, a multiple of [`COLUMNS`]: as many, or up to the row's end.
    pub fn see(&self, row: usize, first: usize, values: &[f32]) {
        let bytes = le_bytes(values);
        let (index, parts) = (first / COLUMNS, self.width.div_ceil(COLUMNS));
        let value = match parts {
            1 => *blake3::hash(&bytes).as_bytes(),
            _ => blake3::Hasher::new()
                .set_input_offset((PART * index) as u64)
                .update(&bytes)
                .finalize_non_root(),
        };
        let mut all = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = all.get_mut(row * parts + index) {
            *place = value;
        }
    }

    /// The hash of each row, once all of its parts were seen.
    pub fn finish(self) -> Vec<[u8; 32]> {
        let parts = self.parts.into_inner();
        let parts = parts.unwrap_or_else(PoisonError::into_inner);
        let each = self.width.div_ceil(COLUMNS).max(1);
        parts
            .chunks(each)
            .map(|row| root(row, 4 * self.width))
            .collect()
    }
}

/// The hash of `bytes` bytes from the values of their parts.
fn root(parts: &[ChainingValue], bytes: usize) -> [u8; 32] {
    match parts {
        [] => *blake3::hash(&[]).as_bytes(),
        [whole] => *whole,
        _ => {
            let (left, right) = halves(parts, bytes);
            *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
        }
    }
}

/// The values of the two subtrees that more than one part are.
fn halves(parts: &[ChainingValue], bytes: usize) -> (ChainingValue, ChainingValue) {
    let left = left_subtree_len(bytes as u64) as usize;
    let (before, after) = parts.split_at(left / PART);
    (subtree(before, left), subtree(after, bytes - left))
}

fn subtree(parts: &[ChainingValue], bytes: usize) -> ChainingValue {
    match parts {
        [part] => *part,
        _ => {
            let (left, right) = halves(parts, bytes);
            merge_subtrees_non_root(&left, &right, Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::extend_le_bytes;

    #[test]
    fn hash_of_parts_seen_in_any_order_is_the_hash_of_the_row() {
        let widths = [
            1,
            255,
            256,
            4095,
            4096,
            4097,
            8192,
            3 * 4096 + 1,
            5 * 4096,
            7 * 4096 + 4000,
            64 * 4096,
        ];
        for width in widths {
            let rows: Vec<Vec<f32>> = (0..2)
                .map(|row| (0..width).map(|i| (i * 7919 + row) as f32).collect())
                .collect();
            let hashes = RowHashes::new(2, width);
            let mut firsts: Vec<usize> = (0..width).step_by(COLUMNS).collect();
            firsts.reverse();
            for first in firsts {
                let last = width.min(first + COLUMNS);
                for (index, row) in rows.iter().enumerate() {
                    hashes.see(index, first, &row[first..last]);
                }
            }
            for (row, hash) in rows.iter().zip(hashes.finish()) {
                let mut bytes = Vec::new();
                extend_le_bytes(&mut bytes, row);
                assert_eq!(hash, *blake3::hash(&bytes).as_bytes(), "{width}");
            }
        }
    }
}
