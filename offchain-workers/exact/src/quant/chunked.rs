// SPDX-License-Identifier: Apache-2.0
//! The product by chunks, which every instruction set shares.

use core::ops::Range;

use super::accumulators::{Accumulators, Initial};
use super::block::{Left, BLOCK};
use super::matrix::{PackedBlocks, QuantMatrix};
use super::rows::QuantRows;
use super::unpack::{Chunk, UnpackBuffer, CHUNK_BLOCKS};
use crate::matmul::{Accumulate, PANEL};

/// Rows whose accumulators are held together: the more, the less a part's unpacking weighs.
const ROWS: usize = 96;

/// The product by parts: a chunk of a panel is unpacked, then multiplied with all rows of a block. Whether there
/// is a NaN in it.
/// `part` is also told of what comes next, and tells of NaN in complete sums. `SIGNED`: it takes codes
/// from which their zero is subtracted.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn product<const SIGNED: bool>(
    accumulate: Accumulate,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    columns: usize,
    out: &mut [f32],
    multiply_chunk: impl Fn(&Left<'_>, usize, &Chunk<'_>, &PackedBlocks<'_>, &mut Accumulators<'_>) -> bool,
) -> bool {
    let mut nan = false;
    let mut kept = [[0.0; PANEL]; ROWS];
    let mut unpacked = UnpackBuffer::new();
    let blocks = w.in_features() / BLOCK;
    for first_row in (0..x.rows()).step_by(ROWS) {
        let rows = ROWS.min(x.rows() - first_row);
        let left = x.left(first_row..first_row + rows);
        for (index, panel) in panels.clone().enumerate() {
            let valid = PANEL.min(columns - index * PANEL);
            let mut sums = Accumulators {
                kept: &mut kept[..rows],
                out: &mut out[first_row * columns + index * PANEL..],
                stride: columns,
                before: match accumulate {
                    Accumulate::Overwrite => Initial::Zero,
                    Accumulate::Add => Initial::Product,
                },
                complete: false,
            };
            // The last panel's padding is no part of the product: its sums begin and end in `kept`.
            let padded = valid < PANEL;
            if padded && accumulate == Accumulate::Add {
                sums.take(valid);
            }
            for first in (0..blocks).step_by(CHUNK_BLOCKS) {
                let count = CHUNK_BLOCKS.min(blocks - first);
                let chunk = unpacked.chunk::<SIGNED>(w, panel, first, count);
                let next = match first + count {
                    next if next < blocks => w.packed_blocks(panel, next, CHUNK_BLOCKS.min(blocks - next)),
                    _ if panel + 1 < panels.end => w.packed_blocks(panel + 1, 0, CHUNK_BLOCKS.min(blocks)),
                    _ => PackedBlocks::default(),
                };
                sums.complete = first + count == blocks && !padded;
                nan |= multiply_chunk(&left, first, &chunk, &next, &mut sums);
                sums.before = Initial::Kept;
            }
            if padded {
                nan |= sums.put(valid);
            }
        }
    }
    nan
}
