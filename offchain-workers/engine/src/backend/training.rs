// SPDX-License-Identifier: Apache-2.0
//! What training asks of a backend besides a decoder's operations.

use super::{Backend, Heads};
use crate::{files::config::Activation, train::State, Result};
use agorai_exact::adamw::AdamW;
use std::ops::Range;

/// Values `[n, k]` that become a matrix.
pub struct Packing<'a, B: Backend> {
    /// Where the values are.
    pub rows: &'a B::Rows,
    /// Which of them they are.
    pub place: Range<usize>,
    /// k.
    pub width: usize,
    /// Whether the matrix is `[k, n]`.
    pub transposed: bool,
    /// Where they go; its memory is used again.
    pub matrix: &'a mut B::Matrix,
}

/// Of what the gradient of one tensor is made, for each sequence of a batch, in order.
pub enum Terms<'a, B: Backend> {
    /// Of a matrix `[n, k]`: gradients of the outputs `[rows, n]`, and the inputs `[rows, k]`, transposed.
    Matrix(Vec<(&'a B::Rows, &'a B::Matrix)>),
    /// Of a norm's weight `[width]`: inputs `[rows, width]`, 1 / rms `[rows]`, and gradients of the
    /// outputs `[rows, width]`.
    Norm(Vec<(&'a B::Rows, &'a B::Rows, &'a B::Rows)>),
    /// Of an embedding `[vocab, width]`: tokens `[rows]`, and gradients of their rows `[rows, width]`.
    Embedding(Vec<(&'a [u32], &'a B::Rows)>),
}

/// Carries out the operations of training. Parameters, their gradient and moments are each one run of
/// values, in which `places` say where tensors stand; those of one call are ascending.
pub trait TrainingBackend: Backend<Matrix: Default> {
    /// Makes matrices ready for products.
    fn pack(&self, packings: Vec<Packing<'_, Self>>) -> Result<()>;
    /// The loss of each row in nats; the logits `[rows, vocab]` become the gradient of the losses' sum
    /// times `scale`.
    fn loss(
        &self,
        vocab: usize,
        targets: &[u32],
        scale: f32,
        logits: &mut Self::Rows,
        losses: &mut Self::Rows,
    ) -> Result<()>;
    /// The gradient of [`norm`](Backend::norm) by its input, from that of its output.
    fn norm_backward(
        &self,
        x: &Self::Rows,
        weight: &Self::Rows,
        inv: &Self::Rows,
        d_out: &Self::Rows,
        d_x: &mut Self::Rows,
    ) -> Result<()>;
    /// The gradients of [`gate`](Backend::gate).
    fn gate_backward(
        &self,
        activation: Activation,
        gate: &Self::Rows,
        up: &Self::Rows,
        d_out: &Self::Rows,
        d_gate: &mut Self::Rows,
        d_up: &mut Self::Rows,
    ) -> Result<()>;
    /// The gradient of [`rotate`](Backend::rotate) in place.
    fn rotate_back(&self, angles: &Self::Angles, offset: usize, rows: &mut Self::Rows, row: usize) -> Result<()>;
    /// The gradients of [`attend`](Backend::attend) for a whole sequence: `key` as it was given,
    /// `memory` and `attention` as it left them.
    #[allow(clippy::too_many_arguments)]
    fn attend_backward(
        &self,
        heads: &Heads,
        key: &Self::Rows,
        memory: &Self::Memory,
        attention: &Self::Attention,
        d_out: &Self::Rows,
        d_query: &mut Self::Rows,
        d_key: &mut Self::Rows,
        d_value: &mut Self::Rows,
        scratch: &mut Self::Scratch,
    ) -> Result<()>;
    /// The gradients of some tensors, each value one chain over all rows of all sequences in order.
    fn gradients(&self, tensors: Vec<(Range<usize>, Terms<'_, Self>)>, gradient: &mut Self::Rows) -> Result<()>;
    /// The factor that brings the norm of a gradient down to `limit`, at most 1.
    fn clip(&self, places: &[Range<usize>], gradient: &Self::Rows, limit: f32) -> Result<f32>;
    /// One step of AdamW on some tensors, the state's step counting it, with the gradient times `scale`.
    fn adamw(
        &self,
        tensors: &[(Range<usize>, AdamW)],
        scale: f32,
        gradient: &Self::Rows,
        state: &mut State<Self::Rows>,
    ) -> Result<()>;
}
