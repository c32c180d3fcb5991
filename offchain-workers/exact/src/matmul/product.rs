// SPDX-License-Identifier: Apache-2.0
//! The operands of a product, and the bounds check on which the soundness of the kernels' pointers relies.

use super::panel::PANEL;
use crate::error::{Error, Expected, Result};
use crate::simd::LANES;

/// What a product does with the values in its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// Ignores them: the chains begin at +0.0.
    Overwrite,
    /// Adds to them: the chains begin at them, as if the earlier terms were part of this call.
    Add,
}

/// The left operand: element (i, k) lies at `i * row + k * step`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

impl<'a> Left<'a> {
    /// Rows that begin `stride` elements apart.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Left {
            data,
            row: stride,
            step: 1,
        }
    }

    /// The transpose of rows that begin `stride` elements apart.
    pub(crate) fn columns(data: &'a [f32], stride: usize) -> Self {
        Left {
            data,
            row: 1,
            step: stride,
        }
    }
}

/// The right operand: element (k, j) lies at `(j / 32) * panel + k * row + j % 32`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(super) data: &'a [f32],
    pub(super) panel: usize,
    pub(super) row: usize,
    /// The columns that may be read, padding included.
    pub(super) readable: usize,
}

impl<'a> Right<'a> {
    /// Packed panels of k rows with `readable` columns, padding included.
    pub(super) fn panels(data: &'a [f32], k: usize, readable: usize) -> Self {
        Right {
            data,
            panel: k * PANEL,
            row: PANEL,
            readable,
        }
    }

    /// Plain rows of `width` elements, a multiple of sixteen.
    pub(crate) fn rows(data: &'a [f32], width: usize) -> Self {
        Right {
            data,
            panel: PANEL,
            row: width,
            readable: width,
        }
    }

    /// Returns the operand without the first columns, a multiple of [`PANEL`].
    pub(crate) fn skip_columns(self, columns: usize) -> Self {
        Right {
            data: self.data.get(columns / PANEL * self.panel..).unwrap_or(&[]),
            readable: self.readable.saturating_sub(columns),
            ..self
        }
    }

    /// Returns the operand without the first k rows.
    pub(crate) fn skip_rows(self, k: usize) -> Self {
        Right {
            data: self.data.get(k * self.row..).unwrap_or(&[]),
            ..self
        }
    }
}

/// `out [m, n] = left [m, k] right [k, n]`.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) left: Left<'a>,
    pub(crate) right: Right<'a>,
    pub(crate) accumulate: Accumulate,
}

/// The product kernel of an instruction set.
pub(crate) trait Products {
    /// # Safety
    /// Every index of the operands and of the output, [m, n] with rows `stride` elements apart, lies
    /// in its slice, see [`Product::run`]; m, n and k are positive.
    unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize);
}

impl Product<'_> {
    /// Writes the product to `out`, whose rows begin `stride` elements apart.
    #[inline(always)]
    pub(crate) fn run<V: Products>(&self, out: &mut [f32], stride: usize) -> Result<()> {
        if self.m == 0 || self.n == 0 {
            return Ok(());
        }
        within("elements of out", self.last_output(stride), out.len())?;
        if self.k == 0 {
            if self.accumulate == Accumulate::Overwrite {
                for row in out.chunks_mut(stride.max(1)).take(self.m) {
                    row[..self.n].fill(0.0);
                }
            }
            return Ok(());
        }
        self.check()?;
        // SAFETY: the last index of the output and of both operands lies in its slice by the checks above, all
        // strides are unsigned, and the dimensions are positive.
        unsafe { V::product(self, out, stride) }
        Ok(())
    }

    fn last_output(&self, stride: usize) -> Option<usize> {
        if self.m > 1 && stride < self.n {
            return None;
        }
        (self.m - 1).checked_mul(stride)?.checked_add(self.n - 1)
    }

    fn check(&self) -> Result<()> {
        let left = || {
            let row = (self.m - 1).checked_mul(self.left.row)?;
            row.checked_add((self.k - 1).checked_mul(self.left.step)?)
        };
        let right = || {
            // The kernels read whole vectors, up to the padded end of the last one.
            let columns = self.n.checked_next_multiple_of(LANES)?;
            if columns > self.right.readable {
                return None;
            }
            let last = columns - 1;
            let panel = (last / PANEL).checked_mul(self.right.panel)?;
            let row = (self.k - 1).checked_mul(self.right.row)?;
            panel.checked_add(row)?.checked_add(last % PANEL)
        };
        within("elements of the left operand", left(), self.left.data.len())?;
        within("elements of the right operand", right(), self.right.data.len())
    }
}

/// Checks that the last index, `None` if it overflows, lies in a slice of `len` elements.
#[inline(always)]
fn within(dimension: &'static str, last: Option<usize>, len: usize) -> Result<()> {
    let least = last.and_then(|last| last.checked_add(1)).unwrap_or(usize::MAX);
    if last.is_some_and(|last| last < len) {
        Ok(())
    } else {
        Err(Error::shape("matmul", dimension, Expected::AtLeast(least), len))
    }
}
