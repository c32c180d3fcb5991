// SPDX-License-Identifier: Apache-2.0
//! Quantised weights packed in panels of 32 output features, of the same size as in the file.
//!
//! The codes of one block of a panel, 32 outputs by 32 inputs, are stored as planes of bytes; byte `4 o + i` of a
//! plane belongs to output o and input i of a quad of four inputs, so that a vector of a plane is an operand of one
//! dot-product instruction:
//! * 8 bits: eight planes, one for each quad;
//! * nibbles: four planes, plane t with quad 2t in the low and quad 2t + 1 in the high nibbles;
//! * a fifth bit: one plane more, quad t in bit t;
//! * a fifth and a sixth bit: two planes more, quad t in bits `2 (t mod 4)` of plane `t / 4`.

use alloc::vec::Vec;
use core::ops::Range;

use super::block::{BLOCK, QUAD};
use super::format::{Codes, Decoded, Scales};
use crate::element::{finite_f16_to_f32, BlockFormat};
use crate::error::{Error, Operation, Result};
use crate::matmul::PANEL;

/// A cache line: 64 bytes, aligned so that a vector never crosses a line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u8; 64]);

/// Consecutive blocks of a panel in their packed form.
#[derive(Clone, Copy, Default)]
pub(super) struct PackedBlocks<'a> {
    pub lines: &'a [Line],
    pub halves: &'a [[u16; PANEL]],
    pub integers: &'a [[u8; PANEL]],
}

/// The number of lines of a plane.
pub(super) const PLANE: usize = PANEL * QUAD / 64;

/// A quantised matrix [out_features, in_features].
#[derive(Clone, Debug, PartialEq)]
pub struct QuantMatrix {
    format: BlockFormat,
    n: usize,
    k: usize,
    codes: Vec<Line>,
    /// For each panel and block of the format: a row of scales, then a row of minima if the format has them.
    halves: Vec<[u16; PANEL]>,
    /// For each panel and 32 inputs: rows of integer scales of the groups, then of minima if the format has them.
    integers: Vec<[u8; PANEL]>,
}

/// Allocates `count` values `zero`.
fn zeroed<T: Clone>(count: usize, zero: T) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    values.resize(count, zero);
    Ok(values)
}

/// Returns the numbers of lines of codes, of rows of binary16 scales and of rows of integer scales.
fn counts(format: BlockFormat, n: usize, k: usize) -> Result<(usize, usize, usize)> {
    let operation = Operation("QuantMatrix");
    operation.multiple_of("input features", format.block_len(), k)?;
    let blocks = operation.area("blocks", n.div_ceil(PANEL), k / BLOCK)?;
    // Every size below is less than this one.
    operation.area("bytes", 2 * PANEL * BLOCK, blocks)?;
    let supers = blocks / (format.block_len() / BLOCK);
    Ok((
        blocks * PLANE * planes(format),
        supers * halves(format),
        blocks * integers(format),
    ))
}

impl QuantMatrix {
    /// Creates a matrix of zeros, to be filled by [`QuantMatrix::set_rows`]; `in_features` is a multiple of the block
    /// length of the format.
    pub fn new(format: BlockFormat, out_features: usize, in_features: usize) -> Result<QuantMatrix> {
        let (n, k) = (out_features, in_features);
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

    /// Returns the size in bytes of a matrix.
    pub fn size_bytes(format: BlockFormat, out_features: usize, in_features: usize) -> Result<usize> {
        let (codes, halves, integers) = counts(format, out_features, in_features)?;
        Ok(64 * codes + 2 * PANEL * halves + PANEL * integers)
    }

    /// Packs the rows of output features from `first` on, in the file's encoding. `first` is a multiple of 32, and so
    /// is the number of rows, except at the end of the matrix; each row is set once.
    ///
    /// [`Error::NotFinite`] for scales that are not finite.
    pub fn set_rows(&mut self, first: usize, bytes: &[u8]) -> Result<()> {
        let row_bytes = self.format.row_bytes(self.k)?;
        let operation = Operation("QuantMatrix::set_rows");
        operation.multiple_of("first row", PANEL, first)?;
        operation.multiple_of("bytes of the rows", row_bytes, bytes.len())?;
        let Some(rows) = bytes.len().checked_div(row_bytes) else {
            return Ok(());
        };
        let end = operation.sum("rows", first, rows)?;
        operation.at_most("end of the rows", self.n, end)?;
        if end < self.n {
            operation.multiple_of("end of the rows", PANEL, end)?;
        }
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

    /// Packs block `index` of one output.
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

    /// Returns the format.
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// Returns the number of output features.
    pub fn out_features(&self) -> usize {
        self.n
    }

    /// Returns the number of input features.
    pub fn in_features(&self) -> usize {
        self.k
    }

    /// Returns the number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Returns the number of columns, one per output feature, in a range of panels.
    pub fn columns(&self, panels: Range<usize>) -> Result<usize> {
        Operation("columns").range_within("panels", self.panels(), &panels)?;
        let until = |panel: usize| self.n.min(panel.saturating_mul(PANEL));
        Ok(until(panels.end) - until(panels.start))
    }

    /// Writes the weights of one output feature to `out` `[in_features]`: `fma(s, c - z, -m)`, or `s * (c - z)` in
    /// formats without minima.
    pub fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        let operation = Operation("QuantMatrix::row");
        operation.exactly("elements of out", self.k, out.len())?;
        operation.index(index, self.n)?;
        let (panel, output) = (index / PANEL, index % PANEL);
        let zero = self.format.zero_point();
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

    /// Returns consecutive blocks of 32 inputs of a panel: their codes and integer scales, and the binary16 scales of
    /// all blocks of the format that contain them.
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

    /// Returns one code from the planes of a block.
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

    /// Returns scale and minimum of one output's weights 16 half .. 16 half + 16 of a block.
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

/// Returns the number of planes of a block.
#[inline(always)]
pub(super) fn planes(format: BlockFormat) -> usize {
    match format.codes() {
        Codes::U4 => 4,
        Codes::U5 => 5,
        Codes::U6 => 6,
        Codes::U8 => 8,
    }
}

/// Returns the number of rows of binary16 scales of a block of the format.
#[inline(always)]
fn halves(format: BlockFormat) -> usize {
    match format.scales() {
        Scales::Half | Scales::Super16 => 1,
        Scales::HalfMin | Scales::Super => 2,
    }
}

/// Returns the number of rows of integer scales of 32 inputs.
#[inline(always)]
fn integers(format: BlockFormat) -> usize {
    match format.scales() {
        Scales::Half | Scales::HalfMin => 0,
        Scales::Super | Scales::Super16 => 2,
    }
}
