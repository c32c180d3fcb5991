// SPDX-License-Identifier: Apache-2.0
//! The operations of training: losses, backward passes, parameter gradients, updates.

use super::{attention::AttentionOps, products::ProductOps, rows::RowOps, storage::Storage};
use crate::{
    config::{Activation, Heads},
    error::Result,
};
use agorai_exact::adamw::AdamW;
use std::ops::Range;

/// Values `[n, k]` to be packed as a matrix.
pub struct Packing<'a, B: Storage> {
    /// The buffer that holds the values.
    pub rows: &'a B::Rows,
    /// The range of the values in the buffer.
    pub range: Range<usize>,
    /// k.
    pub width: usize,
    /// Whether the matrix is `[k, n]`.
    pub transposed: bool,
    /// The matrix; its memory is reused.
    pub matrix: &'a mut B::Matrix,
}

/// The operands of the gradient of one tensor, for each sequence of a batch, in order.
pub enum Terms<'a, B: Storage> {
    /// Of a matrix `[n, k]`: gradients of the outputs `[rows, n]`, and the inputs `[rows, k]`, transposed.
    Matrix(Vec<(&'a B::Rows, &'a B::Matrix)>),
    /// Of the weight of a norm, `[width]`: inputs `[rows, width]`, 1 / rms `[rows]`, and gradients of the outputs
    /// `[rows, width]`.
    Norm(Vec<(&'a B::Rows, &'a B::Rows, &'a B::Rows)>),
    /// Of an embedding `[vocab, width]`: tokens `[rows]`, and gradients of their rows `[rows, width]`.
    Embedding(Vec<(&'a [u32], &'a B::Rows)>),
}

/// Parameters and their AdamW moments, flat buffers of the same length.
pub struct AdamWState<'a, R> {
    /// The parameters.
    pub values: &'a mut R,
    /// The first moments.
    pub first: &'a mut R,
    /// The second moments.
    pub second: &'a mut R,
    /// Number of the step that is made, from 1.
    pub step: u32,
}

/// The operations of training. Parameters, their gradients and moments are flat buffers in which ranges say where
/// tensors are; the ranges of one call must ascend.
///
/// The gradient of a product with respect to its input is a product too: [`ProductOps::linear`] with the transposed
/// matrix.
pub trait TrainingBackend: RowOps + ProductOps + AttentionOps + Storage<Matrix: Default> {
    /// Packs matrices for products.
    fn pack(&self, packings: Vec<Packing<'_, Self>>) -> Result<()>;
    /// Computes the cross entropy of each row in nats; `logits` is overwritten by the gradient of the sum of the losses
    /// times `scale`.
    ///
    /// `logits`: `[rows, vocab]`; `targets`, `losses`: `[rows]`. `losses` is resized.
    fn loss(
        &self,
        vocab: usize,
        targets: &[u32],
        scale: f32,
        logits: &mut Self::Rows,
        losses: &mut Self::Rows,
    ) -> Result<()>;
    /// Computes the gradient of [`RowOps::norm`] with respect to its input.
    ///
    /// `x`, `d_out`, `d_x`: `[rows, width]`; `weight`: `[width]`; `inv`: `[rows]`. `d_x` is resized.
    fn norm_backward(
        &self,
        x: &Self::Rows,
        weight: &Self::Rows,
        inv: &Self::Rows,
        d_out: &Self::Rows,
        d_x: &mut Self::Rows,
    ) -> Result<()>;
    /// Computes the gradients of [`RowOps::gate`] with respect to both factors; all of the same length. `d_gate` and
    /// `d_up` are resized.
    fn gate_backward(
        &self,
        activation: Activation,
        gate: &Self::Rows,
        up: &Self::Rows,
        d_out: &Self::Rows,
        d_gate: &mut Self::Rows,
        d_up: &mut Self::Rows,
    ) -> Result<()>;
    /// Computes the gradient of [`RowOps::rotate`] in place: the inverse rotation.
    fn rotate_backward(&self, angles: &Self::Angles, offset: usize, rows: &mut Self::Rows, row: usize) -> Result<()>;
    /// Computes the gradients of [`AttentionOps::attend`] for a whole sequence from position 0. `key` as it was
    /// appended, `cache` and `attention` as the forward pass left them. Query heads that share a key head are added to
    /// its gradients in ascending order.
    ///
    /// `d_out`, `d_query`: `[rows, query heads, head_dim]`; `key`, `d_key`, `d_value`: `[rows, key heads, head_dim]`.
    /// The gradients are resized.
    #[allow(clippy::too_many_arguments)]
    fn attend_backward(
        &self,
        heads: &Heads,
        key: &Self::Rows,
        cache: &Self::KvCache,
        attention: &Self::Attention,
        d_out: &Self::Rows,
        d_query: &mut Self::Rows,
        d_key: &mut Self::Rows,
        d_value: &mut Self::Rows,
        scratch: &mut Self::Scratch,
    ) -> Result<()>;
    /// Overwrites the ranges of `gradient` by the gradients of their tensors. Each value is one accumulation along all
    /// rows of all sequences in order.
    fn gradients(&self, tensors: Vec<(Range<usize>, Terms<'_, Self>)>, gradient: &mut Self::Rows) -> Result<()>;
    /// Returns the factor, at most 1, that scales the norm of `gradient` down to `limit`. Order: the sum of squares of
    /// each range, then the sum of these.
    fn clip(&self, ranges: &[Range<usize>], gradient: &Self::Rows, limit: f32) -> Result<f32>;
    /// Performs one AdamW step on the tensors of the given ranges, with the gradient times `scale`.
    fn adamw(
        &self,
        tensors: &[(Range<usize>, AdamW)],
        scale: f32,
        gradient: &Self::Rows,
        state: AdamWState<'_, Self::Rows>,
    ) -> Result<()>;
}
