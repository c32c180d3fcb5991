// SPDX-License-Identifier: Apache-2.0
//! The product in chunks, shared by the instruction sets.

use core::ops::Range;

use super::accumulators::Accumulators;
use super::block::{Left, BLOCK};
use super::matrix::{PackedBlocks, QuantMatrix};
use super::rows::QuantRows;
use super::unpack::{Chunk, UnpackBuffer, CHUNK_BLOCKS};
use crate::matmul::{Accumulate, PANEL};

/// The number of rows of a block: the more, the smaller the cost of unpacking per row.
const ROWS: usize = 96;

/// A chunk of a product: a block of rows, and consecutive blocks of a panel.
pub(super) struct ChunkProduct<'a> {
    pub x: &'a Left<'a>,
    /// The first of the blocks along k.
    pub first: usize,
    /// The weights of the blocks.
    pub w: &'a Chunk<'a>,
    /// The weights of the next chunk, to be prefetched.
    pub next: &'a PackedBlocks<'a>,
}

/// Computes the product in chunks: a chunk of a panel is unpacked, then multiplied with all rows of a block. Returns
/// whether an output is NaN.
///
/// `multiply_chunk` adds a chunk to the accumulators and returns whether complete ones are NaN. `SIGNED`: it expects
/// codes from which the zero point is subtracted.
#[inline(always)]
pub(super) fn product<const SIGNED: bool>(
    accumulate: Accumulate,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    columns: usize,
    out: &mut [f32],
    multiply_chunk: impl Fn(&ChunkProduct<'_>, &mut Accumulators<'_>) -> bool,
) -> bool {
    let mut nan = false;
    let mut buffer = [[0.0; PANEL]; ROWS];
    let mut unpacked = UnpackBuffer::new();
    let blocks = w.in_features() / BLOCK;
    for first_row in (0..x.rows()).step_by(ROWS) {
        let rows = ROWS.min(x.rows() - first_row);
        let x = &x.left(first_row..first_row + rows);
        for (index, panel) in panels.clone().enumerate() {
            let valid = PANEL.min(columns - index * PANEL);
            let out = &mut out[first_row * columns + index * PANEL..];
            let mut accumulators = Accumulators::new(accumulate, &mut buffer[..rows], out, columns, valid);
            for first in (0..blocks).step_by(CHUNK_BLOCKS) {
                let count = CHUNK_BLOCKS.min(blocks - first);
                let w_chunk = &unpacked.chunk::<SIGNED>(w, panel, first, count);
                let next = &match first + count {
                    next if next < blocks => w.packed_blocks(panel, next, CHUNK_BLOCKS.min(blocks - next)),
                    _ if panel + 1 < panels.end => w.packed_blocks(panel + 1, 0, CHUNK_BLOCKS.min(blocks)),
                    _ => PackedBlocks::default(),
                };
                let chunk = ChunkProduct {
                    x,
                    first,
                    w: w_chunk,
                    next,
                };
                accumulators.begin_chunk(first == 0, first + count == blocks);
                nan |= multiply_chunk(&chunk, &mut accumulators);
            }
            nan |= accumulators.finish();
        }
    }
    nan
}
