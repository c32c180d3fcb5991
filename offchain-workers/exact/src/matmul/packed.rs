// SPDX-License-Identifier: Apache-2.0
//! The right operand of a product, in panels.

use alloc::vec::Vec;
use core::ops::Range;

use super::panel::PANEL;
use super::product::Right;
use crate::error::{area, shape, Error, Result};

/// A matrix [k, n] in panels of 32 columns, `[ceil(n / 32)][k][32]`, the last panel zero padded.
///
/// Packing again into the same value reuses its memory, so weights that change every step cost no
/// allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedMatrix {
    k: usize,
    n: usize,
    data: Vec<f32>,
}

impl PackedMatrix {
    /// Packs `w` [n, k], weights stored output by input.
    pub fn from_out_in(n: usize, k: usize, w: &[f32]) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.pack_out_in(n, k, w)?;
        Ok(packed)
    }

    /// Packs `w` [k, n], input by output.
    pub fn from_in_out(k: usize, n: usize, w: &[f32]) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.pack_in_out(k, n, w)?;
        Ok(packed)
    }

    /// A matrix [k, n] of zeros, to be filled by [`PackedMatrix::set_rows`].
    pub fn zeros(n: usize, k: usize) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.reset(k, n)?;
        Ok(packed)
    }

    /// Packs some rows of weights stored output by input, [rows, k]; `first` must be a multiple of 32.
    pub fn set_rows(&mut self, first: usize, w: &[f32]) -> Result<()> {
        let k = self.k;
        shape(k > 0 && w.len().is_multiple_of(k) && first.is_multiple_of(PANEL))?;
        let end = first.checked_add(w.len() / k).ok_or(Error::Shape)?;
        shape(end <= self.n && (end == self.n || end.is_multiple_of(PANEL)))?;
        pack_rows(k, w, &mut self.data[first * k..]);
        Ok(())
    }

    /// The weights of one output, k of them.
    pub fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        shape(out.len() == self.k)?;
        if index >= self.n {
            return Err(Error::IndexOutOfRange);
        }
        let panel = &self.data[index / PANEL * self.k * PANEL..];
        for (to, row) in out.iter_mut().zip(panel.chunks_exact(PANEL)) {
            *to = row[index % PANEL];
        }
        Ok(())
    }

    /// Bytes that the panels take.
    pub fn size_bytes(&self) -> usize {
        4 * self.data.len()
    }

    /// Like [`PackedMatrix::from_out_in`], into this value's memory.
    pub fn pack_out_in(&mut self, n: usize, k: usize, w: &[f32]) -> Result<()> {
        shape(w.len() == area(n, k)?)?;
        self.reset(k, n)?;
        if w.is_empty() {
            return Ok(());
        }
        pack_rows(k, w, &mut self.data);
        Ok(())
    }

    /// Like [`PackedMatrix::from_in_out`], into this value's memory.
    pub fn pack_in_out(&mut self, k: usize, n: usize, w: &[f32]) -> Result<()> {
        shape(w.len() == area(n, k)?)?;
        self.reset(k, n)?;
        if w.is_empty() {
            return Ok(());
        }
        for (p, panel) in self.data.chunks_exact_mut(k * PANEL).enumerate() {
            let first = p * PANEL;
            let last = n.min(first + PANEL);
            let rows = panel.chunks_exact_mut(PANEL).zip(w.chunks_exact(n));
            if last - first == PANEL {
                // Of a length known here: a copy of registers and not a call.
                rows.for_each(|(to, row)| to.copy_from_slice(&row[first..][..PANEL]));
            } else {
                rows.for_each(|(to, row)| to[..last - first].copy_from_slice(&row[first..last]));
            }
        }
        Ok(())
    }

    /// An empty matrix [k, 0] with room for so many columns: keys of an attention cache.
    pub fn with_capacity(k: usize, columns: usize) -> Result<PackedMatrix> {
        let length = area(columns.div_ceil(PANEL), area(k, PANEL)?)?;
        let mut data = Vec::new();
        data.try_reserve_exact(length).map_err(|_| Error::OutOfMemory)?;
        Ok(PackedMatrix { k, n: 0, data })
    }

    /// Appends columns of k elements each, the elements of `rows` from `first` on, growing by a panel where the
    /// last is full. `rows` begin `stride` elements apart.
    pub fn push_columns(&mut self, rows: &[f32], stride: usize, first: usize) -> Result<()> {
        let k = self.k;
        let fits = first.checked_add(k).is_some_and(|end| end <= stride);
        shape(k > 0 && fits && rows.len().is_multiple_of(stride))?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (panel, lane) = (self.n / PANEL * k * PANEL, self.n % PANEL);
            if lane == 0 {
                self.data.resize(panel + k * PANEL, 0.0);
            }
            let count = (rest.len() / stride).min(PANEL - lane);
            let (some, others) = rest.split_at(count * stride);
            let columns = some.chunks_exact(stride).map(|row| &row[first..][..k]);
            transpose(k, columns, &mut self.data[panel..], lane);
            self.n += count;
            rest = others;
        }
        Ok(())
    }

    /// Drops all columns from the given one on.
    pub fn truncate(&mut self, columns: usize) {
        if columns >= self.n {
            return;
        }
        self.n = columns;
        let size = self.k * PANEL;
        self.data.truncate(columns.div_ceil(PANEL) * size);
        let lane = columns % PANEL;
        if lane > 0 {
            let start = columns / PANEL * size;
            for row in self.data[start..].chunks_exact_mut(PANEL) {
                row[lane..].fill(0.0);
            }
        }
    }

    /// The length of a chain.
    pub fn in_features(&self) -> usize {
        self.k
    }

    /// The number of outputs.
    pub fn out_features(&self) -> usize {
        self.n
    }

    /// The number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// How many columns lie in a range of panels.
    pub fn columns(&self, panels: Range<usize>) -> Result<usize> {
        shape(panels.start <= panels.end && panels.end <= self.panels())?;
        let until = |panel: usize| self.n.min(panel.saturating_mul(PANEL));
        Ok(until(panels.end) - until(panels.start))
    }

    fn reset(&mut self, k: usize, n: usize) -> Result<()> {
        let length = area(n.div_ceil(PANEL), area(k, PANEL)?)?;
        // Whole panels are overwritten by the packing; only the last one's padding must be cleared.
        self.data.resize(length, 0.0);
        if !n.is_multiple_of(PANEL) {
            let last = length - k * PANEL;
            self.data[last..].fill(0.0);
        }
        self.k = k;
        self.n = n;
        Ok(())
    }

    pub(crate) fn right(&self, first_panel: usize) -> Right<'_> {
        let size = self.k * PANEL;
        let data = self.data.get(first_panel * size..).unwrap_or(&[]);
        let panels = data.len().checked_div(size).unwrap_or(0);
        Right::panels(data, self.k, panels * PANEL)
    }
}

/// Packs rows [rows, k] into panels; the last may be filled in part.
fn pack_rows(k: usize, w: &[f32], to: &mut [f32]) {
    let panels = to.chunks_exact_mut(k * PANEL);
    for (panel, rows) in panels.zip(w.chunks(k * PANEL)) {
        transpose(k, rows.chunks_exact(k), panel, 0);
    }
}

/// Writes columns of k elements into a panel, the first at `lane`.
#[inline(always)]
fn transpose<'a>(k: usize, columns: impl Iterator<Item = &'a [f32]> + Clone, panel: &mut [f32], lane: usize) {
    // Blocks of k keep both sides of the transposition in the first-level cache.
    const BLOCK: usize = 16;
    for (b, block) in panel[..k * PANEL].chunks_mut(BLOCK * PANEL).enumerate() {
        for (column, from) in columns.clone().enumerate() {
            for (to, &value) in block.chunks_exact_mut(PANEL).zip(&from[b * BLOCK..]) {
                to[lane + column] = value;
            }
        }
    }
}
