// SPDX-License-Identifier: Apache-2.0
//! Quantised weights in panels of 32 outputs, no larger than in their file.
//!
//! One block of a panel, 32 outputs by 32 inputs, is held as planes of bytes; byte `4 o + i` of a
//! plane belongs to output o and input i of a quad of four inputs, so that a vector of a plane holds
//! what one instruction multiplies:
//! * 8 bits: eight planes, one for each quad;
//! * nibbles: four planes, plane t with quad 2t in the low and quad 2t + 1 in the high nibbles;
//! * a fifth bit: one plane more, quad t in bit t;
//! * a fifth and a sixth bit: two planes more, quad t in bits `2 (t mod 4)` of plane `t / 4`.

use alloc::vec::Vec;
use core::ops::Range;

use super::block::{BLOCK, QUAD};
use super::format::{Codes, Decoded, Scales};
use crate::element::{finite_f16_to_f32, BlockFormat};
use crate::error::{area, shape, Error, Result};
use crate::matmul::PANEL;

/// 64 bytes, at an address that is a multiple of 64: a vector that crosses no cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u8; 64]);

/// Some blocks of a panel, as they are held.
#[derive(Clone, Copy, Default)]
pub(super) struct PackedBlocks<'a> {
    pub lines: &'a [Line],
    pub halves: &'a [[u16; PANEL]],
    pub integers: &'a [[u8; PANEL]],
}

/// Lines of a plane.
pub(super) const PLANE: usize = PANEL * QUAD / 64;

/// A quantised matrix: n outputs of k inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantMatrix {
    format: BlockFormat,
    n: usize,
    k: usize,
    codes: Vec<Line>,
    /// For each panel and block of the format a scale for each output, then the minima, if it has any.
    halves: Vec<[u16; PANEL]>,
    /// For each panel and 32 inputs: scales of the groups, then the minima, if it has any.
    integers: Vec<[u8; PANEL]>,
}

fn zeroed<T: Clone>(count: usize, zero: T) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    values.resize(count, zero);
    Ok(values)
}

/// Lines of codes, rows of binary16 scales and rows of integer scales.
fn counts(format: BlockFormat, n: usize, k: usize) -> Result<(usize, usize, usize)> {
    shape(k.is_multiple_of(format.block_len()))?;
    let blocks = area(n.div_ceil(PANEL), k / BLOCK)?;
    // Every size below is less than this one.
    area(blocks, 2 * PANEL * BLOCK)?;
    let supers = blocks / (format.block_len() / BLOCK);
    Ok((
        blocks * PLANE * planes(format),
        supers * halves(format),
        blocks * integers(format),
    ))
}

impl QuantMatrix {
    /// A matrix of n outputs and k inputs, a multiple of the format's block, to be filled by
    /// [`QuantMatrix::set_rows`].
    pub fn new(format: BlockFormat, n: usize, k: usize) -> Result<QuantMatrix> {
        let (codes, halves, integers) = counts(format, n, k)?;
        Ok(QuantMatrix {
            format,
            n,
            k,
            codes: zeroed(codes, Line([0; 64]))?,
            halves: zeroed(halves, [0; PANEL])?,
            integers: zeroed(integers, [0; PANEL])?,
        })
    }

    /// Bytes that a matrix of n outputs and k inputs takes.
    pub fn size_bytes(format: BlockFormat, n: usize, k: usize) -> Result<usize> {
        let (codes, halves, integers) = counts(format, n, k)?;
        Ok(64 * codes + 2 * PANEL * halves + PANEL * integers)
    }

    /// Takes in some rows as they stand in a file. `first` must be a multiple of 32, and all but the last
    /// of the matrix's rows must come 32 at a time. Refused: scales that are not finite.
    pub fn set_rows(&mut self, first: usize, bytes: &[u8]) -> Result<()> {
        let row_bytes = self.format.row_bytes(self.k)?;
        shape(first.is_multiple_of(PANEL))?;
        if row_bytes == 0 {
            return shape(bytes.is_empty());
        }
        shape(bytes.len().is_multiple_of(row_bytes))?;
        let end = first.checked_add(bytes.len() / row_bytes).ok_or(Error::Shape)?;
        shape(end <= self.n && (end == self.n || end.is_multiple_of(PANEL)))?;
        for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
            let (panel, output) = ((first + row) / PANEL, row % PANEL);
            let blocks = bytes.chunks_exact(self.format.block_bytes());
            for (index, bytes) in blocks.enumerate() {
                let block = self.format.decode(bytes)?;
                self.set_block(panel, output, index, &block);
            }
        }
        Ok(())
    }

    /// Places block `index` of one output.
    fn set_block(&mut self, panel: usize, output: usize, index: usize, block: &Decoded) {
        let format = self.format;
        let length = format.block_len();
        let at = (panel * (self.k / length) + index) * halves(format);
        if let Some(d) = self.halves.get_mut(at) {
            d[output] = block.d;
        }
        if format.has_mins() {
            self.halves[at + 1][output] = block.min;
        }
        let per_super = length / BLOCK;
        for (part, codes) in block.codes[..length].chunks_exact(BLOCK).enumerate() {
            let place = panel * (self.k / BLOCK) + index * per_super + part;
            let integers = &mut self.integers[place * integers(format)..][..integers(format)];
            match format.scales() {
                Scales::Half | Scales::HalfMin => {}
                Scales::Super => {
                    integers[0][output] = block.scales[part];
                    integers[1][output] = block.mins[part];
                }
                Scales::Super16 => {
                    integers[0][output] = block.scales[2 * part];
                    integers[1][output] = block.scales[2 * part + 1];
                }
            }
            let count = PLANE * planes(format);
            let lines = &mut self.codes[place * count..][..count];
            let mut put = |plane: usize, byte: usize, bits: u8| {
                lines[plane * PLANE + byte / 64].0[byte % 64] |= bits;
            };
            for (i, &code) in codes.iter().enumerate() {
                let (quad, byte) = (i / QUAD, output * QUAD + i % QUAD);
                match format.codes() {
                    Codes::U8 => {
                        put(quad, byte, code);
                        continue;
                    }
                    Codes::U4 => {}
                    Codes::U5 => put(4, byte, (code >> 4) << quad),
                    Codes::U6 => put(4 + quad / 4, byte, (code >> 4) << (2 * (quad % 4))),
                }
                put(quad / 2, byte, (code & 15) << (4 * (quad % 2)));
            }
        }
    }

    /// The format.
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// The number of outputs.
    pub fn out_features(&self) -> usize {
        self.n
    }

    /// The number of inputs.
    pub fn in_features(&self) -> usize {
        self.k
    }

    /// The number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// How many outputs lie in a range of panels.
    pub fn columns(&self, panels: Range<usize>) -> Result<usize> {
        shape(panels.start <= panels.end && panels.end <= self.panels())?;
        let until = |panel: usize| self.n.min(panel.saturating_mul(PANEL));
        Ok(until(panels.end) - until(panels.start))
    }

    /// The weights of one output: `fma(s, c - z, -m)`, or `s * (c - z)` in formats without minima.
    pub fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        shape(out.len() == self.k)?;
        if index >= self.n {
            return Err(Error::IndexOutOfRange);
        }
        let (panel, output) = (index / PANEL, index % PANEL);
        let zero = self.format.zero();
        for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            let lines = self.packed_blocks(panel, block, 1).lines;
            for (i, out) in out.iter_mut().enumerate() {
                let code = self.code(lines, i / QUAD, output * QUAD + i % QUAD);
                let (s, m) = self.scale(panel, block, i / 16, output);
                let c = (i32::from(code) - zero) as f32;
                *out = match self.format.has_mins() {
                    true => crate::fma::fma(s, c, -m),
                    false => s * c,
                };
            }
        }
        Ok(())
    }

    /// Some blocks of a panel: planes, and the scales of all the format's blocks that they lie in.
    #[inline(always)]
    pub(super) fn packed_blocks(&self, panel: usize, first: usize, blocks: usize) -> PackedBlocks<'_> {
        let (h, i) = (halves(self.format), integers(self.format));
        let (planes, per_super) = (PLANE * planes(self.format), self.format.block_len() / BLOCK);
        let place = panel * (self.k / BLOCK) + first;
        let supers = place / per_super..(place + blocks).div_ceil(per_super);
        PackedBlocks {
            lines: &self.codes[place * planes..][..blocks * planes],
            halves: &self.halves[supers.start * h..supers.end * h],
            integers: &self.integers[place * i..][..blocks * i],
        }
    }

    /// One code out of a block's planes.
    fn code(&self, lines: &[Line], quad: usize, byte: usize) -> u8 {
        let get = |plane: usize| lines[plane * PLANE + byte / 64].0[byte % 64];
        let nibble = || get(quad / 2) >> (4 * (quad % 2)) & 15;
        match self.format.codes() {
            Codes::U8 => get(quad),
            Codes::U4 => nibble(),
            Codes::U5 => nibble() | (get(4) >> quad & 1) << 4,
            Codes::U6 => nibble() | (get(4 + quad / 4) >> (2 * (quad % 4)) & 3) << 4,
        }
    }

    /// Scale and minimum of one output's weights 16 half .. 16 half + 16 in a block.
    fn scale(&self, panel: usize, block: usize, half: usize, output: usize) -> (f32, f32) {
        let PackedBlocks { halves, integers, .. } = self.packed_blocks(panel, block, 1);
        let d = finite_f16_to_f32(halves[0][output]);
        match self.format.scales() {
            Scales::Half => (d, 0.0),
            Scales::HalfMin => (d, -finite_f16_to_f32(halves[1][output])),
            Scales::Super => (
                d * f32::from(integers[0][output]),
                finite_f16_to_f32(halves[1][output]) * f32::from(integers[1][output]),
            ),
            Scales::Super16 => (d * f32::from(integers[half][output] as i8), 0.0),
        }
    }
}

/// Planes of a block.
#[inline(always)]
pub(super) fn planes(format: BlockFormat) -> usize {
    match format.codes() {
        Codes::U4 => 4,
        Codes::U5 => 5,
        Codes::U6 => 6,
        Codes::U8 => 8,
    }
}

/// Rows of binary16 scales of a block of the format.
#[inline(always)]
fn halves(format: BlockFormat) -> usize {
    match format.scales() {
        Scales::Half | Scales::Super16 => 1,
        Scales::HalfMin | Scales::Super => 2,
    }
}

/// Rows of integer scales of 32 inputs.
#[inline(always)]
fn integers(format: BlockFormat) -> usize {
    match format.scales() {
        Scales::Half | Scales::HalfMin => 0,
        Scales::Super | Scales::Super16 => 2,
    }
}
