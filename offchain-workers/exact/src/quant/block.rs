// SPDX-License-Identifier: Apache-2.0
//! The shape of a block, and the activations of a product.

use crate::matmul::PANEL;

/// The number of activations that share a scale.
pub const BLOCK: usize = 32;

/// The number of consecutive codes of one output in one lane of an integer dot product.
pub(super) const QUAD: usize = 4;

/// The size in bytes of an unpacked block of a panel: `[8 quads][32 outputs][4]`.
pub(super) const BLOCK_CODES: usize = BLOCK * PANEL;

/// A block of rows of quantised activations.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    /// `[rows, k]`.
    pub(super) q: &'a [i8],
    /// `[rows, k / 32]`.
    pub(super) d: &'a [f32],
    /// Sums of sixteen q, `[rows, k / 16]`.
    pub(super) sums: &'a [i32],
    pub(super) k: usize,
}
