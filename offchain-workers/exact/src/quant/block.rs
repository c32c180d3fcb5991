// SPDX-License-Identifier: Apache-2.0
//! The shape of a block, and the activations as the kernels read them.

use crate::matmul::PANEL;

/// Weights along k that share an activation's scale.
pub const BLOCK: usize = 32;

/// Four consecutive codes of one output: what one lane of an integer dot product takes.
pub(super) const QUAD: usize = 4;

/// Bytes of one block of a panel, a byte for each code: `[8 quads][32 outputs][4]`.
pub(super) const BLOCK_CODES: usize = BLOCK * PANEL;

/// Some rows of quantised activations, as the kernels read them.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    /// `[rows, k]`.
    pub(super) q: &'a [i8],
    /// `[rows, k / 32]`.
    pub(super) d: &'a [f32],
    /// `[rows, k / 16]`.
    pub(super) sums: &'a [i32],
    pub(super) k: usize,
}
