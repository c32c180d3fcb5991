// SPDX-License-Identifier: Apache-2.0
//! One block of a decoder.
//!
//! ```text
//! normed = norm(input)
//! query, key, value = normed W (+ bias); query, key = norm of each head, rotated
//! attended = attention(query, keys, values)
//! middle = input += attended W                      | input + norm(attended W)
//! gated = activation(norm(middle) W) * (norm(middle) W)
//! out = middle += gated W                           | middle + norm(gated W)
//! ```
//! On the right: models with norms after attention and after the feed-forward layer (Gemma 3). Without these, the terms
//! of the projection are accumulated onto the residual stream one by one.

use crate::{
    backend::{Backend, OnChunk, Product},
    config::{Activation, BlockPart, Heads},
    error::Result,
};
use agorai_exact::matmul::Accumulate;

/// One value for each matrix of a block.
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

impl<M> Matrices<M> {
    /// Builds the value of each matrix with `build`.
    pub fn try_build(mut build: impl FnMut(BlockPart) -> Result<M>) -> Result<Self> {
        Ok(Self {
            query: build(BlockPart::Query)?,
            key: build(BlockPart::Key)?,
            value: build(BlockPart::Value)?,
            output: build(BlockPart::Output)?,
            gate: build(BlockPart::Gate)?,
            up: build(BlockPart::Up)?,
            down: build(BlockPart::Down)?,
        })
    }

    /// Returns the value of each matrix with the part it belongs to.
    pub fn parts_mut(&mut self) -> [(BlockPart, &mut M); 7] {
        [
            (BlockPart::Query, &mut self.query),
            (BlockPart::Key, &mut self.key),
            (BlockPart::Value, &mut self.value),
            (BlockPart::Output, &mut self.output),
            (BlockPart::Gate, &mut self.gate),
            (BlockPart::Up, &mut self.up),
            (BlockPart::Down, &mut self.down),
        ]
    }
}

/// The weights of one block.
pub struct Block<B: Backend> {
    /// Whether attention is restricted to the window.
    pub local: bool,
    pub attention_norm: B::Rows,
    pub matrices: Matrices<B::Matrix>,
    /// Biases of the query, key and value projections.
    pub bias: Option<[B::Rows; 3]>,
    /// Weights of the norms of each query and key head.
    pub head_norms: Option<[B::Rows; 2]>,
    pub post_attention_norm: Option<B::Rows>,
    pub ff_norm: B::Rows,
    pub post_ff_norm: Option<B::Rows>,
}

/// The intermediate results of a block for some rows; the backward pass of training reads them.
pub struct Activations<B: Backend> {
    /// Norm of the stream before the block, `[rows, dim]`.
    pub input_normed: B::Rows,
    /// 1 / rms of the stream before the block, `[rows]`.
    pub input_inv: B::Rows,
    /// Rotated queries, `[rows, query heads, head_dim]`.
    pub query: B::Rows,
    /// Rotated keys, `[rows, key heads, head_dim]`.
    pub key: B::Rows,
    /// Values, `[rows, key heads, head_dim]`.
    pub value: B::Rows,
    /// Weighted sums of the values, `[rows, query heads, head_dim]`.
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
    /// `activation(gate) * up`, `[rows, ff]`.
    pub gated: B::Rows,
    /// Intermediate results of attention for the backward pass.
    pub attention: B::Attention,
    /// A projection before it is normalised.
    projected: B::Rows,
    /// 1 / rms of norms without backward pass.
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
    /// Computes the logits `[rows, vocab]` of rows `[rows, dim]` of the residual stream.
    pub fn logits(&mut self, backend: &B, hidden: &B::Rows, head: &Head<'_, B>, logits: &mut B::Rows) -> Result<()> {
        let normed = &mut self.input_normed;
        backend.norm(hidden, head.norm, head.eps, normed, &mut self.input_inv)?;
        linear(
            backend,
            Accumulate::Overwrite,
            normed,
            &mut self.scratch,
            [(head.matrix, logits)],
        )
    }

    /// Computes the same logits in chunks, see [`linear_chunks`](crate::backend::ProductOps::linear_chunks).
    pub fn logits_in_chunks(
        &mut self,
        backend: &B,
        hidden: &B::Rows,
        head: &Head<'_, B>,
        on_chunk: &OnChunk<'_>,
    ) -> Result<()> {
        let normed = &mut self.input_normed;
        backend.norm(hidden, head.norm, head.eps, normed, &mut self.input_inv)?;
        backend.linear_chunks(normed, head.matrix, &mut self.scratch, on_chunk)
    }
}

/// The output head: the final norm and the matrix `[vocab, dim]`.
pub struct Head<'a, B: Backend> {
    pub norm: &'a B::Rows,
    pub eps: f32,
    pub matrix: &'a B::Matrix,
}

/// Computes several products of the same input.
fn linear<B: Backend, const N: usize>(
    backend: &B,
    accumulate: Accumulate,
    x: &B::Rows,
    scratch: &mut B::Scratch,
    products: [(&B::Matrix, &mut B::Rows); N],
) -> Result<()> {
    let mut products = products.map(|(matrix, out)| Product { matrix, out });
    backend.linear(accumulate, x, &mut products, scratch)
}

/// The positions of a block's rows, and how attention treats them.
pub struct Positions<'a, B: Backend> {
    /// The heads of the block's attention.
    pub heads: Heads,
    /// Position of the first row.
    pub offset: usize,
    /// Rotary angles.
    pub angles: &'a B::Angles,
}

impl<B: Backend> Block<B> {
    /// Computes everything from the residual stream before the block, `[rows, dim]`, to `a.gated`: all that the
    /// backward pass reads.
    #[allow(clippy::too_many_arguments)]
    pub fn feed(
        &self,
        backend: &B,
        positions: &Positions<'_, B>,
        activation: Activation,
        eps: f32,
        cache: &mut B::KvCache,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        self.project(backend, positions, eps, input, a)?;
        self.append_kv(backend, positions, a, cache)?;
        self.attend(backend, positions, activation, eps, cache, input, a)
    }

    /// Appends projected keys and values to the cache.
    pub fn append_kv(
        &self,
        backend: &B,
        positions: &Positions<'_, B>,
        a: &Activations<B>,
        cache: &mut B::KvCache,
    ) -> Result<()> {
        backend.append_kv(&positions.heads, positions.offset, &a.key, &a.value, cache)
    }

    /// Computes everything from projected queries to `a.gated`; the cache must hold their positions.
    #[allow(clippy::too_many_arguments)]
    pub fn attend(
        &self,
        backend: &B,
        positions: &Positions<'_, B>,
        activation: Activation,
        eps: f32,
        cache: &B::KvCache,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        backend.attend(
            &positions.heads,
            positions.offset,
            &a.query,
            cache,
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
            Accumulate::Overwrite,
            &a.middle_normed,
            &mut a.scratch,
            [(&self.matrices.gate, &mut a.gate), (&self.matrices.up, &mut a.up)],
        )?;
        backend.gate(activation, &a.gate, &a.up, &mut a.gated)
    }

    /// Computes the residual stream after the block, `[rows, dim]`, from `a.gated`.
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

    /// Computes rotated queries, rotated keys and values from the residual stream before the block, `[rows, dim]`.
    pub fn project(
        &self,
        backend: &B,
        positions: &Positions<'_, B>,
        eps: f32,
        input: &B::Rows,
        a: &mut Activations<B>,
    ) -> Result<()> {
        backend.norm(input, &self.attention_norm, eps, &mut a.input_normed, &mut a.input_inv)?;
        linear(
            backend,
            Accumulate::Overwrite,
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
        let (query, key) = (positions.heads.query_width(), positions.heads.key_width());
        backend.rotate(positions.angles, positions.offset, &mut a.query, query)?;
        backend.rotate(positions.angles, positions.offset, &mut a.key, key)
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
            linear(backend, Accumulate::Add, x, scratch, [(matrix, out)])
        }
        Some(weight) => {
            linear(backend, Accumulate::Overwrite, x, scratch, [(matrix, &mut *projected)])?;
            backend.norm(projected, weight, eps, out, inv)?;
            backend.add(stream, out)
        }
    }
}
