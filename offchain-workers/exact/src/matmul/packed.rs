// SPDX-License-Identifier: Apache-2.0
//! The right operand of a product, packed in panels of columns.

use alloc::vec::Vec;
use core::ops::Range;

use super::panel::PANEL;
use super::product::Right;
use crate::error::{Error, Operation, Result};

/// A matrix [in_features, out_features] in panels of 32 columns, `[ceil(out_features / 32)][in_features][32]`, the last
/// panel zero padded.
///
/// Packing again into the same value reuses its memory, so weights that change at every step cost no allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedMatrix {
    k: usize,
    n: usize,
    data: Vec<f32>,
}

impl PackedMatrix {
    /// Packs `w` [out_features, in_features], the layout of weight files.
    pub fn from_out_in(out_features: usize, in_features: usize, w: &[f32]) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.pack_out_in(out_features, in_features, w)?;
        Ok(packed)
    }

    /// Packs `w` [in_features, out_features].
    pub fn from_in_out(in_features: usize, out_features: usize, w: &[f32]) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.pack_in_out(in_features, out_features, w)?;
        Ok(packed)
    }

    /// Creates a matrix of zeros, to be filled by [`PackedMatrix::set_rows`].
    pub fn zeros(out_features: usize, in_features: usize) -> Result<PackedMatrix> {
        let mut packed = PackedMatrix::default();
        packed.reset(in_features, out_features)?;
        Ok(packed)
    }

    /// Packs the weights `w` [rows, in_features] of the output features from `first` on, a multiple of 32; the number
    /// of rows is a multiple of 32, except at the end of the matrix.
    pub fn set_rows(&mut self, first: usize, w: &[f32]) -> Result<()> {
        let k = self.k;
        let operation = Operation("PackedMatrix::set_rows");
        operation.rows_of("elements of w", k, w.len())?;
        operation.multiple_of("first row", PANEL, first)?;
        let end = operation.sum("rows", first, w.len() / k)?;
        operation.at_most("end of the rows", self.n, end)?;
        if end < self.n {
            operation.multiple_of("end of the rows", PANEL, end)?;
        }
        pack_rows(k, w, &mut self.data[first * k..]);
        Ok(())
    }

    /// Writes the weights of one output feature to `out` `[in_features]`.
    pub fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        let operation = Operation("PackedMatrix::row");
        operation.exactly("elements of out", self.k, out.len())?;
        operation.index(index, self.n)?;
        let panel = &self.data[index / PANEL * self.k * PANEL..];
        for (to, row) in out.iter_mut().zip(panel.chunks_exact(PANEL)) {
            *to = row[index % PANEL];
        }
        Ok(())
    }

    /// Returns the size of the panels in bytes.
    pub fn size_bytes(&self) -> usize {
        4 * self.data.len()
    }

    /// Like [`PackedMatrix::from_out_in`], into this value's memory.
    pub fn pack_out_in(&mut self, out_features: usize, in_features: usize, w: &[f32]) -> Result<()> {
        let (n, k) = (out_features, in_features);
        let operation = Operation("pack_out_in");
        operation.exactly("elements of w", operation.area("elements of w", n, k)?, w.len())?;
        self.reset(k, n)?;
        if w.is_empty() {
            return Ok(());
        }
        pack_rows(k, w, &mut self.data);
        Ok(())
    }

    /// Like [`PackedMatrix::from_in_out`], into this value's memory.
    pub fn pack_in_out(&mut self, in_features: usize, out_features: usize, w: &[f32]) -> Result<()> {
        let (n, k) = (out_features, in_features);
        let operation = Operation("pack_in_out");
        operation.exactly("elements of w", operation.area("elements of w", n, k)?, w.len())?;
        self.reset(k, n)?;
        if w.is_empty() {
            return Ok(());
        }
        for (p, panel) in self.data.chunks_exact_mut(k * PANEL).enumerate() {
            let first = p * PANEL;
            let last = n.min(first + PANEL);
            let rows = panel.chunks_exact_mut(PANEL).zip(w.chunks_exact(n));
            if last - first == PANEL {
                // A constant length, so that the compiler emits vector moves instead of a call.
                rows.for_each(|(to, row)| to.copy_from_slice(&row[first..][..PANEL]));
            } else {
                rows.for_each(|(to, row)| to[..last - first].copy_from_slice(&row[first..last]));
            }
        }
        Ok(())
    }

    /// Creates a matrix [in_features, 0] with capacity for `columns` columns, such as the keys of an attention cache.
    pub fn with_capacity(in_features: usize, columns: usize) -> Result<PackedMatrix> {
        let k = in_features;
        let length = packed_len(Operation("PackedMatrix::with_capacity"), k, columns)?;
        let mut data = Vec::new();
        data.try_reserve_exact(length).map_err(|_| Error::OutOfMemory)?;
        Ok(PackedMatrix { k, n: 0, data })
    }

    /// Appends one column of in_features elements for each of `rows`, which begin `stride` elements apart: the elements
    /// of the row from `first` on.
    pub fn push_columns(&mut self, rows: &[f32], stride: usize, first: usize) -> Result<()> {
        let k = self.k;
        let operation = Operation("push_columns");
        operation.at_least("input features", 1, k)?;
        operation.at_most("end of a column", stride, operation.sum("end of a column", first, k)?)?;
        operation.multiple_of("elements of the rows", stride, rows.len())?;
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

    /// Removes all columns from the given one on.
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

    /// Returns the number of input features, the length of a chain.
    pub fn in_features(&self) -> usize {
        self.k
    }

    /// Returns the number of output features.
    pub fn out_features(&self) -> usize {
        self.n
    }

    /// Returns the number of panels.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Returns the number of columns in a range of panels.
    pub fn columns(&self, panels: Range<usize>) -> Result<usize> {
        Operation("columns").range_within("panels", self.panels(), &panels)?;
        let until = |panel: usize| self.n.min(panel.saturating_mul(PANEL));
        Ok(until(panels.end) - until(panels.start))
    }

    /// Sets the shape; the caller packs all columns. The padding of the last panel is zero.
    fn reset(&mut self, k: usize, n: usize) -> Result<()> {
        let length = packed_len(Operation("PackedMatrix"), k, n)?;
        // Packing overwrites whole panels, so only the last one has to be cleared.
        self.data.resize(length, 0.0);
        if !n.is_multiple_of(PANEL) {
            let last = length - k * PANEL;
            self.data[last..].fill(0.0);
        }
        self.k = k;
        self.n = n;
        Ok(())
    }

    /// Returns the panels from `first_panel` on as the right operand of a product.
    pub(crate) fn right(&self, first_panel: usize) -> Right<'_> {
        let size = self.k * PANEL;
        let data = self.data.get(first_panel * size..).unwrap_or(&[]);
        let panels = data.len().checked_div(size).unwrap_or(0);
        Right::panels(data, self.k, panels * PANEL)
    }
}

/// Returns the number of elements of the panels of a matrix.
fn packed_len(operation: Operation, k: usize, n: usize) -> Result<usize> {
    let panel = operation.area("elements of a panel", PANEL, k)?;
    operation.area("panels", panel, n.div_ceil(PANEL))
}

/// Packs rows [rows, k] into panels; the last panel may be partial.
fn pack_rows(k: usize, w: &[f32], to: &mut [f32]) {
    let panels = to.chunks_exact_mut(k * PANEL);
    for (panel, rows) in panels.zip(w.chunks(k * PANEL)) {
        transpose(k, rows.chunks_exact(k), panel, 0);
    }
}

/// Writes columns of k elements to a panel, the first one to `lane`.
#[inline(always)]
fn transpose<'a>(k: usize, columns: impl Iterator<Item = &'a [f32]> + Clone, panel: &mut [f32], lane: usize) {
    // In blocks of k both sides of the transposition stay in the L1 cache.
    const BLOCK: usize = 16;
    for (b, block) in panel[..k * PANEL].chunks_mut(BLOCK * PANEL).enumerate() {
        for (column, from) in columns.clone().enumerate() {
            for (to, &value) in block.chunks_exact_mut(PANEL).zip(&from[b * BLOCK..]) {
                to[lane + column] = value;
            }
        }
    }
}
