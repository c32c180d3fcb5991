// SPDX-License-Identifier: Apache-2.0
//! One block of a decoder.
//!
//! ```text
//! normed = norm(input)
//! query, key, value = normed W (+ bias); query, key = norm of each head, rotated
//! attended = attention
//! middle = input continued by attended W            | input + norm(attended W)
//! gated = activation(norm(middle) W) * (norm(middle) W)
//! out = middle continued by gated W                 | middle + norm(gated W)
//! ```
//! On the right: models that norm what they add to the residual stream (Gemma 3). Where they do not,
//! the addition continues the residual value's chain: the terms of the projection are accumulated
//! onto it one by one.

use crate::{
    backend::{Backend, Each, Heads, Product},
    files::config::Activation,
    Result,
};
use agorai_exact::matmul::Chain;

/// Something for each matrix of a block.
#[derive(Default)]
pub struct Matrices<M> {
    pub query: M,
    pub key: M,
    pub value: M,
    pub output: M,
    pub gate: M,
    pub up: M,
    pub down: M,
}

/// The weights of one block.
pub struct Block<B: Backend> {
    /// Whether it sees a window only.
    pub local: bool,
    pub attention_norm: B::Rows,
    pub matrices: Matrices<B::Matrix>,
    /// Of query, key and value.
    pub bias: Option<[B::Rows; 3]>,
    /// Norms of each head of query and key.
    pub head_norms: Option<[B::Rows; 2]>,
    pub post_attention_norm: Option<B::Rows>,
    pub ff_norm: B::Rows,
    pub post_ff_norm: Option<B::Rows>,
}

/// What a block computes for some rows; the way back of training reads it.
pub struct Activations<B: Backend> {
    /// Norm of the stream before the block, `[rows, dim]`.
    pub input_normed: B::Rows,
    /// 1 / rms of the stream before the block, `[rows]`.
    pub input_inv: B::Rows,
    /// Rotated queries, `[rows, heads, width]`.
    pub query: B::Rows,
    /// Rotated keys, `[rows, key heads, width]`.
    pub key: B::Rows,
    /// Values, `[rows, key heads, width]`.
    pub value: B::Rows,
    /// Attention's weighted values, `[rows, heads, width]`.
    pub attended: B::Rows,
    /// The residual stream after attention, `[rows, dim]`.
    pub middle: B::Rows,
    /// Norm of `middle`, `[rows, dim]`.
    pub middle_normed: B::Rows,
    /// 1 / rms of `middle`, `[rows]`.
    pub middle_inv: B::Rows,
    /// Gate projection, `[rows, ff]`.
    pub gate: B::Rows,
    /// Up projection, `[rows, ff]`.
    pub up: B::Rows,
    /// activation(gate) * up, `[rows, ff]`.
    pub gated: B::Rows,
    /// What attention leaves for the way back.
    pub attention: B::Attention,
    /// A projection before it is normed.
    projected: B::Rows,
    /// 1 / rms of what nobody goes back through.
    inv: B::Rows,
    scratch: B::Scratch,
}

impl<B: Backend> Default for Activations<B> {
    fn default() -> Self {
        Self {
            input_normed: Default::default(),
            input_inv: Default::default(),
            query: Default::default(),
            key: Default::default(),
            value: Default::default(),
            attended: Default::default(),
            middle: Default::default(),
            middle_normed: Default::default(),
            middle_inv: Default::default(),
            gate: Default::default(),
            up: Default::default(),
            gated: Default::default(),
            attention: Default::default(),
            projected: Default::default(),
            inv: Default::default(),
            scratch: Default::default(),
        }
    }
}

impl<B: Backend> Activations<B> {
    /// The logits of rows `[rows, dim]` of the residual stream.
    pub fn logits(&mut self, backend: &B, hidden: &B::Rows, head: &Head<'_, B>, logits: &mut B::Rows) -> Result<()> {
        let normed = &mut self.input_normed;
        backend.norm(hidden, head.norm, head.eps, normed, &mut self.input_inv)?;
        linear(
            backend,
            Chain::Start,
            normed,
            &mut self.scratch,
            [(head.matrix, logits)],
        )
    }

    /// The same in parts.
    pub fn each_logits(&mut self, backend: &B, hidden: &B::Rows, head: &Head<'_, B>, each: &Each<'_>) -> Result<()> {
        let normed = &mut self.input_normed;
        backend.norm(hidden, head.norm, head.eps, normed, &mut self.input_inv)?;
        backend.columns(normed, head.matrix, &mut self.scratch, each)
    }
}

/// From the residual stream after the last block to logits.
pub struct Head<'a, B: Backend> {
    pub norm: &'a B::Rows,
    pub eps: f32,
    pub matrix: &'a B::Matrix,
}

/// Several products of the same input.
fn linear<B: Backend, const N: usize>(
    backend: &B,
    chain: Chain,
    x: &B::Rows,
    scratch: &mut B::Scratch,
    products: [(&B::Matrix, &mut B::Rows); N],
) -> Result<()> {
    let mut products = products.map(|(matrix, out)| Product { matrix, out });
    backend.linear(chain, x, &mut products, scratch)
}

/// The place of a block's rows in a sequence.
pub struct Place<'a, B: Backend> {
    /// The heads of the block's attention.
    pub heads: Heads,
    /// Position of the first row.
    pub offset: usize,
    /// Rotary angles.
    pub angles: &'a B::Angles,
}

impl<B: Backend> Block<B> {
    /// From the residual stream before the block, `[rows, dim]`, to `a.gated`: all that the way back reads.
    #[allow(clippy::too_many_arguments)]
    pub fn feed(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        activation: Activation,
        eps: f32,
        memory: &mut B::Memory,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        self.project(backend, place, eps, input, a)?;
        self.remember(backend, place, a, memory)?;
        self.attend(backend, place, activation, eps, memory, input, a)
    }

    /// Puts projected keys and values into the memory.
    pub fn remember(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        a: &Activations<B>,
        memory: &mut B::Memory,
    ) -> Result<()> {
        backend.remember(&place.heads, place.offset, &a.key, &a.value, memory)
    }

    /// From projected queries, and a memory that reaches to them, to `a.gated`.
    #[allow(clippy::too_many_arguments)]
    pub fn attend(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        activation: Activation,
        eps: f32,
        memory: &B::Memory,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        backend.attend(
            &place.heads,
            place.offset,
            &a.query,
            memory,
            &mut a.attention,
            &mut a.attended,
        )?;
        extend(
            backend,
            &self.matrices.output,
            &self.post_attention_norm,
            eps,
            &a.attended,
            input,
            &mut a.middle,
            &mut a.projected,
            &mut a.inv,
            &mut a.scratch,
        )?;
        backend.norm(&a.middle, &self.ff_norm, eps, &mut a.middle_normed, &mut a.middle_inv)?;
        linear(
            backend,
            Chain::Start,
            &a.middle_normed,
            &mut a.scratch,
            [(&self.matrices.gate, &mut a.gate), (&self.matrices.up, &mut a.up)],
        )?;
        backend.gate(activation, &a.gate, &a.up, &mut a.gated)
    }

    /// From `a.gated` to the residual stream after the block, `[rows, dim]`.
    pub fn finish(&self, backend: &B, eps: f32, a: &mut Activations<B>, out: &mut B::Rows) -> Result<()> {
        extend(
            backend,
            &self.matrices.down,
            &self.post_ff_norm,
            eps,
            &a.gated,
            &a.middle,
            out,
            &mut a.projected,
            &mut a.inv,
            &mut a.scratch,
        )
    }

    /// From the residual stream before the block to rotated queries and keys, and values.
    pub fn project(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        eps: f32,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        backend.norm(input, &self.attention_norm, eps, &mut a.input_normed, &mut a.input_inv)?;
        linear(
            backend,
            Chain::Start,
            &a.input_normed,
            &mut a.scratch,
            [
                (&self.matrices.query, &mut a.query),
                (&self.matrices.key, &mut a.key),
                (&self.matrices.value, &mut a.value),
            ],
        )?;
        if let Some([query, key, value]) = &self.bias {
            backend.add_bias(query, &mut a.query)?;
            backend.add_bias(key, &mut a.key)?;
            backend.add_bias(value, &mut a.value)?;
        }
        if let Some([query, key]) = &self.head_norms {
            backend.norm(&a.query, query, eps, &mut a.projected, &mut a.inv)?;
            std::mem::swap(&mut a.query, &mut a.projected);
            backend.norm(&a.key, key, eps, &mut a.projected, &mut a.inv)?;
            std::mem::swap(&mut a.key, &mut a.projected);
        }
        let (query, key) = (place.heads.query_width(), place.heads.key_width());
        backend.rotate(place.angles, place.offset, &mut a.query, query)?;
        backend.rotate(place.angles, place.offset, &mut a.key, key)
    }
}

/// Adds a projection to the residual stream: `out = stream + x W`.
#[allow(clippy::too_many_arguments)]
fn extend<B: Backend>(
    backend: &B,
    matrix: &B::Matrix,
    post_norm: &Option<B::Rows>,
    eps: f32,
    x: &B::Rows,
    stream: &B::Rows,
    out: &mut B::Rows,
    projected: &mut B::Rows,
    inv: &mut B::Rows,
    scratch: &mut B::Scratch,
) -> Result<()> {
    match post_norm {
        None => {
            backend.copy(stream, out)?;
            linear(backend, Chain::Continue, x, scratch, [(matrix, out)])
        }
        Some(weight) => {
            linear(backend, Chain::Start, x, scratch, [(matrix, &mut *projected)])?;
            backend.norm(projected, weight, eps, out, inv)?;
            backend.add(stream, out)
        }
    }
}
