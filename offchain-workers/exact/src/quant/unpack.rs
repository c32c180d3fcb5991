// SPDX-License-Identifier: Apache-2.0
//! Unpacking of a chunk of a panel: one byte for each code, one binary32 for each scale.

use super::block::{BLOCK, BLOCK_CODES};
use super::format::{Codes, Scales};
use super::matrix::{Line, PackedBlocks, QuantMatrix, PLANE};
use crate::element::finite_f16_to_f32;
use crate::matmul::PANEL;

/// The maximum number of blocks of a chunk: its codes, 8 KiB, stay in the L1 cache.
pub(super) const CHUNK_BLOCKS: usize = 8;

/// The number of lines of the codes of a block.
const BLOCK_LINES: usize = BLOCK_CODES / 64;

/// A scale for each output of a panel, aligned to 64 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Row(pub [f32; PANEL]);

/// Consecutive unpacked blocks of a panel.
pub(super) struct Chunk<'a> {
    /// `[blocks][8 quads][32 outputs][4]`.
    pub codes: &'a [Line],
    /// One row for each group.
    pub scales: &'a [Row],
    /// One row for each block, or none.
    pub mins: &'a [Row],
    /// The number of groups of a block: 1 or 2.
    pub groups: usize,
    /// The zero point of the codes: 0 if it was subtracted, which makes them signed bytes.
    pub zero: i32,
    /// The number of blocks.
    pub blocks: usize,
}

/// The memory of an unpacked chunk.
pub(super) struct UnpackBuffer {
    codes: [Line; CHUNK_BLOCKS * BLOCK_LINES],
    scales: [Row; 2 * CHUNK_BLOCKS],
    mins: [Row; CHUNK_BLOCKS],
}

impl UnpackBuffer {
    #[inline(always)]
    pub(super) fn new() -> UnpackBuffer {
        UnpackBuffer {
            codes: [Line([0; 64]); CHUNK_BLOCKS * BLOCK_LINES],
            scales: [Row([0.0; PANEL]); 2 * CHUNK_BLOCKS],
            mins: [Row([0.0; PANEL]); CHUNK_BLOCKS],
        }
    }

    /// Unpacks blocks `first .. first + count` of a panel, at most [`CHUNK_BLOCKS`]. `SIGNED`: the zero point is
    /// subtracted from the codes.
    #[inline(always)]
    pub(super) fn chunk<'a, const SIGNED: bool>(
        &'a mut self,
        w: &'a QuantMatrix,
        panel: usize,
        first: usize,
        count: usize,
    ) -> Chunk<'a> {
        let format = w.format();
        let groups = BLOCK / format.group_len();
        let zero = if SIGNED { format.zero_point() as u8 } else { 0 };
        let codes = if format.codes() == Codes::U8 && zero == 0 {
            w.packed_blocks(panel, first, count).lines
        } else {
            for (index, codes) in self.codes.chunks_exact_mut(BLOCK_LINES).take(count).enumerate() {
                let lines = w.packed_blocks(panel, first + index, 1).lines;
                match format.codes() {
                    Codes::U4 => unpack::<0>(lines, codes, zero),
                    Codes::U5 => unpack::<1>(lines, codes, zero),
                    Codes::U6 => unpack::<2>(lines, codes, zero),
                    Codes::U8 => {
                        for (to, line) in codes.iter_mut().zip(lines) {
                            for (to, code) in to.0.iter_mut().zip(line.0) {
                                *to = code.wrapping_sub(zero);
                            }
                        }
                    }
                }
            }
            &self.codes[..count * BLOCK_LINES]
        };
        for index in 0..count {
            let PackedBlocks { halves, integers, .. } = w.packed_blocks(panel, first + index, 1);
            let half = |row: usize, o: usize| finite_f16_to_f32(halves[row][o]);
            match format.scales() {
                Scales::Half => fill(&mut self.scales[index], |o| half(0, o)),
                Scales::HalfMin => {
                    fill(&mut self.scales[index], |o| half(0, o));
                    fill(&mut self.mins[index], |o| -half(1, o));
                }
                Scales::Super => {
                    let times = |row: usize, o: usize| half(row, o) * f32::from(integers[row][o]);
                    fill(&mut self.scales[index], |o| times(0, o));
                    fill(&mut self.mins[index], |o| times(1, o));
                }
                Scales::Super16 => {
                    for (row, to) in self.scales[2 * index..][..2].iter_mut().enumerate() {
                        fill(to, |o| half(0, o) * f32::from(integers[row][o] as i8));
                    }
                }
            }
        }
        Chunk {
            codes,
            scales: &self.scales[..count * groups],
            mins: &self.mins[..count * usize::from(format.has_mins())],
            groups,
            zero: format.zero_point() - i32::from(zero),
            blocks: count,
        }
    }
}

/// Unpacks the codes of one block with `HIGH` bits above the nibble and subtracts `zero`.
#[inline(always)]
fn unpack<const HIGH: usize>(lines: &[Line], codes: &mut [Line], zero: u8) {
    unpack_quad::<HIGH, 0>(lines, codes, zero);
    unpack_quad::<HIGH, 1>(lines, codes, zero);
    unpack_quad::<HIGH, 2>(lines, codes, zero);
    unpack_quad::<HIGH, 3>(lines, codes, zero);
    unpack_quad::<HIGH, 4>(lines, codes, zero);
    unpack_quad::<HIGH, 5>(lines, codes, zero);
    unpack_quad::<HIGH, 6>(lines, codes, zero);
    unpack_quad::<HIGH, 7>(lines, codes, zero);
}

/// Unpacks one quad; it is a const parameter so that every shift is by a constant.
#[inline(always)]
fn unpack_quad<const HIGH: usize, const QUAD: usize>(lines: &[Line], codes: &mut [Line], zero: u8) {
    let nibbles = &lines[QUAD / 2 * PLANE..][..PLANE];
    let plane = match HIGH {
        0 => 0,
        1 => 4,
        _ => 4 + QUAD / 4,
    };
    let highs = &lines[plane * PLANE..][..PLANE];
    let to = &mut codes[QUAD * PLANE..][..PLANE];
    for ((to, nibbles), highs) in to.iter_mut().zip(nibbles).zip(highs) {
        let bytes = to.0.iter_mut().zip(&nibbles.0).zip(&highs.0);
        for ((to, nibble), high) in bytes {
            let low = nibble >> (4 * (QUAD % 2)) & 15;
            let code = match HIGH {
                0 => low,
                1 => low | (high >> QUAD & 1) << 4,
                _ => low | (high >> (2 * (QUAD % 4)) & 3) << 4,
            };
            *to = code.wrapping_sub(zero);
        }
    }
}

/// Sets the value of each output.
#[inline(always)]
fn fill(row: &mut Row, value: impl Fn(usize) -> f32) {
    for (o, to) in row.0.iter_mut().enumerate() {
        *to = value(o);
    }
}
