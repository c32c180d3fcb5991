// SPDX-License-Identifier: Apache-2.0
//! The division of the parameters into chunks of at most 4096 values.

use crate::weights::{Layout, Slot};

/// Number of values of a full chunk.
pub const CHUNK: usize = 4096;
/// Rows and columns of a full chunk of a matrix.
const SIDE: usize = 64;

/// A rectangle of a tensor: rows of `width` values, `stride` apart, the first one at index `start` of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    start: usize,
    rows: usize,
    width: usize,
    stride: usize,
}

impl Chunk {
    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.rows * self.width
    }

    /// Returns how many values are retained if `top` are of a full chunk: at least 1, at most all.
    pub fn retained(&self, top: u16) -> usize {
        (usize::from(top) * self.len()).div_ceil(CHUNK).clamp(1, self.len())
    }

    /// Returns the index in the parameters of value `index` of the chunk.
    pub fn parameter(&self, index: usize) -> usize {
        self.start + index / self.width * self.stride + index % self.width
    }

    /// Replaces `values` by the chunk's values, row by row.
    pub fn gather(&self, parameters: &[f32], values: &mut Vec<f32>) {
        values.clear();
        for row in 0..self.rows {
            let from = self.start + row * self.stride;
            values.extend_from_slice(&parameters[from..from + self.width]);
        }
    }
}

fn of_slot(slot: &Slot) -> Vec<Chunk> {
    let start = slot.range.start;
    match slot.shape[..] {
        [rows, columns] => (0..rows)
            .step_by(SIDE)
            .flat_map(|row| (0..columns).step_by(SIDE).map(move |column| (row, column)))
            .map(|(row, column)| Chunk {
                start: start + row * columns + column,
                rows: SIDE.min(rows - row),
                width: SIDE.min(columns - column),
                stride: columns,
            })
            .collect(),
        _ => (0..slot.range.len())
            .step_by(CHUNK)
            .map(|first| {
                let width = CHUNK.min(slot.range.len() - first);
                Chunk {
                    start: start + first,
                    rows: 1,
                    width,
                    stride: width,
                }
            })
            .collect(),
    }
}

/// Returns all chunks of a layout in order.
pub fn of(layout: &Layout) -> impl Iterator<Item = Chunk> + '_ {
    layout.slots.iter().flat_map(of_slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agorai_primitives::model::Architecture;

    #[test]
    fn chunks_cover_every_parameter_once() {
        let architecture = Architecture {
            dim: 72,
            heads: 2,
            kv_heads: 1,
            ff: 100,
            ..Architecture::SMALL
        };
        let layout = Layout::new(&architecture);
        let mut seen = vec![0; layout.len()];
        for chunk in of(&layout) {
            assert!(chunk.len() <= CHUNK);
            (0..chunk.len()).for_each(|index| seen[chunk.parameter(index)] += 1);
        }
        assert!(seen.iter().all(|times| *times == 1));
    }

    #[test]
    fn retained_values_are_in_proportion_to_the_chunk() {
        let chunk = |rows| Chunk {
            start: 0,
            rows,
            width: 64,
            stride: 64,
        };
        assert_eq!(chunk(64).retained(512), 512);
        assert_eq!(chunk(1).retained(512), 8);
        assert_eq!(chunk(1).retained(1), 1);
        assert_eq!(chunk(64).retained(4096), 4096);
    }
}
