// SPDX-License-Identifier: Apache-2.0
//! Operations on rows: norms, sums, the rotary embedding, gates.

use super::storage::Storage;
use crate::{config::Activation, error::Result};

/// The operations that compute row by row or value by value.
pub trait RowOps: Storage {
    /// Computes the RMS norm `out = x / rms(x) * weight`, and 1 / rms of each row in `inv`.
    ///
    /// `x`, `out`: `[rows, width]`; `weight`: `[width]`; `inv`: `[rows]`. `out` and `inv` are resized.
    fn norm(
        &self,
        x: &Self::Rows,
        weight: &Self::Rows,
        eps: f32,
        out: &mut Self::Rows,
        inv: &mut Self::Rows,
    ) -> Result<()>;
    /// `out += x`; both of the same length.
    fn add(&self, x: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
    /// `out[i] += bias` for each row; `bias`: `[width]`, `out`: `[rows, width]`.
    fn add_bias(&self, bias: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
    /// Returns the rotary angles of positions 0 to `positions` - 1; `frequencies`: `[head_dim / 2]`.
    fn angles(&self, frequencies: &[f32], positions: usize) -> Result<Self::Angles>;
    /// Rotates every head of `rows`, `[rows, row]` with `row = heads * head_dim`, in place; row i is at position
    /// `offset + i`.
    fn rotate(&self, angles: &Self::Angles, offset: usize, rows: &mut Self::Rows, row: usize) -> Result<()>;
    /// `out = activation(gate) * up`; all of the same length. `out` is resized.
    fn gate(&self, activation: Activation, gate: &Self::Rows, up: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
}
