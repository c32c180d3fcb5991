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

/// The weights of one block.
pub struct Block<B: Backend> {
    /// Whether it sees a window only.
    pub local: bool,
    pub attention_norm: B::Rows,
    pub query: B::Matrix,
    pub key: B::Matrix,
    pub value: B::Matrix,
    /// Of query, key and value.
    pub bias: Option<[B::Rows; 3]>,
    /// Norms of each head of query and key.
    pub head_norms: Option<[B::Rows; 2]>,
    pub output: B::Matrix,
    pub post_attention_norm: Option<B::Rows>,
    pub ff_norm: B::Rows,
    pub gate: B::Matrix,
    pub up: B::Matrix,
    pub down: B::Matrix,
    pub post_ff_norm: Option<B::Rows>,
}

/// What a block computes for some rows.
pub struct Activations<B: Backend> {
    /// The residual stream before the block, `[rows, dim]`.
    pub input: B::Rows,
    normed: B::Rows,
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
    gate: B::Rows,
    up: B::Rows,
    /// activation(gate) * up, `[rows, ff]`.
    pub gated: B::Rows,
    /// The residual stream after the block, `[rows, dim]`.
    pub out: B::Rows,
    /// A projection before it is normed.
    projected: B::Rows,
    scratch: B::Scratch,
}

impl<B: Backend> Default for Activations<B> {
    fn default() -> Self {
        Self {
            input: Default::default(),
            normed: Default::default(),
            query: Default::default(),
            key: Default::default(),
            value: Default::default(),
            attended: Default::default(),
            middle: Default::default(),
            gate: Default::default(),
            up: Default::default(),
            gated: Default::default(),
            out: Default::default(),
            projected: Default::default(),
            scratch: Default::default(),
        }
    }
}

impl<B: Backend> Activations<B> {
    /// The logits of rows `[rows, dim]` of the residual stream.
    pub fn logits(
        &mut self,
        backend: &B,
        hidden: &B::Rows,
        head: &Head<'_, B>,
        logits: &mut B::Rows,
    ) -> Result<()> {
        backend.norm(hidden, head.norm, head.eps, &mut self.normed)?;
        linear(
            backend,
            Chain::Start,
            &self.normed,
            &mut self.scratch,
            [(head.matrix, logits)],
        )
    }

    /// The same in parts.
    pub fn each_logits(
        &mut self,
        backend: &B,
        hidden: &B::Rows,
        head: &Head<'_, B>,
        each: &Each<'_>,
    ) -> Result<()> {
        backend.norm(hidden, head.norm, head.eps, &mut self.normed)?;
        backend.columns(&self.normed, head.matrix, &mut self.scratch, each)
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
    /// From `a.input` to `a.out`; every other field is left as computed on the way.
    pub fn run(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        activation: Activation,
        eps: f32,
        memory: &mut B::Memory,
        a: &mut Activations<B>,
    ) -> Result<()> {
        self.project(backend, place, eps, a)?;
        backend.attend(
            &place.heads,
            place.offset,
            &a.query,
            &a.key,
            &a.value,
            memory,
            &mut a.attended,
            &mut a.scratch,
        )?;
        extend(
            backend,
            &self.output,
            &self.post_attention_norm,
            eps,
            &a.attended,
            &a.input,
            &mut a.middle,
            &mut a.projected,
            &mut a.scratch,
        )?;
        backend.norm(&a.middle, &self.ff_norm, eps, &mut a.normed)?;
        linear(
            backend,
            Chain::Start,
            &a.normed,
            &mut a.scratch,
            [(&self.gate, &mut a.gate), (&self.up, &mut a.up)],
        )?;
        backend.gate(activation, &a.gate, &a.up, &mut a.gated)?;
        extend(
            backend,
            &self.down,
            &self.post_ff_norm,
            eps,
            &a.gated,
            &a.middle,
            &mut a.out,
            &mut a.projected,
            &mut a.scratch,
        )
    }

    /// From `a.input` to rotated queries and keys, and values.
    fn project(
        &self,
        backend: &B,
        place: &Place<'_, B>,
        eps: f32,
        a: &mut Activations<B>,
    ) -> Result<()> {
        backend.norm(&a.input, &self.attention_norm, eps, &mut a.normed)?;
        linear(
            backend,
            Chain::Start,
            &a.normed,
            &mut a.scratch,
            [
                (&self.query, &mut a.query),
                (&self.key, &mut a.key),
                (&self.value, &mut a.value),
            ],
        )?;
        if let Some([query, key, value]) = &self.bias {
            backend.add_bias(query, &mut a.query)?;
            backend.add_bias(key, &mut a.key)?;
            backend.add_bias(value, &mut a.value)?;
        }
        if let Some([query, key]) = &self.head_norms {
            backend.norm(&a.query, query, eps, &mut a.projected)?;
            std::mem::swap(&mut a.query, &mut a.projected);
            backend.norm(&a.key, key, eps, &mut a.projected)?;
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
    scratch: &mut B::Scratch,
) -> Result<()> {
    match post_norm {
        None => {
            backend.copy(stream, out)?;
            linear(backend, Chain::Continue, x, scratch, [(matrix, out)])
        }
        Some(weight) => {
            linear(
                backend,
                Chain::Start,
                x,
                scratch,
                [(matrix, &mut *projected)],
            )?;
            backend.norm(projected, weight, eps, out)?;
            backend.add(stream, out)
        }
    }
}
