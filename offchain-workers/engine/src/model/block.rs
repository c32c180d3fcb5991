// SPDX-License-Identifier: Apache-2.0
//! One block of a training sequence forward, in the parts before and after its attention, and what it leaves
//! for the way back.

use super::{matrices::BlockMatrices, Shape};
use crate::{parallel::Means, weights::Block, Result};
use agorai_exact::{gated, matmul::Chain, norm, rope::RopeTable};

/// Added to the mean square in RMS norms (Llama's value).
pub const EPS: f32 = 1e-5;

/// What a block computes for some rows from the residual stream before it. The backward pass needs all of it.
#[derive(Clone, Debug, Default)]
pub struct Activations {
    /// 1 / rms of the stream before the block, `[rows]`.
    pub input_inv: Vec<f32>,
    /// Norm of the stream before the block, `[rows, dim]`.
    pub input_normed: Vec<f32>,
    /// Rotated queries, `[rows, dim]`.
    pub query: Vec<f32>,
    /// Rotated keys, `[rows, kv]`.
    pub key: Vec<f32>,
    /// Values, `[rows, kv]`.
    pub value: Vec<f32>,
    /// Attention's weighted values, `[rows, dim]`.
    pub attended: Vec<f32>,
    /// The residual stream after attention, `[rows, dim]`.
    pub middle: Vec<f32>,
    /// 1 / rms of `middle`, `[rows]`.
    pub middle_inv: Vec<f32>,
    /// Norm of `middle`, `[rows, dim]`.
    pub middle_normed: Vec<f32>,
    /// Gate projection, `[rows, ff]`.
    pub gate: Vec<f32>,
    /// Up projection, `[rows, ff]`.
    pub up: Vec<f32>,
    /// silu(gate) * up, `[rows, ff]`.
    pub gated: Vec<f32>,
}

impl Activations {
    /// Makes room for `rows` rows.
    pub fn resize(&mut self, shape: &Shape, rows: usize) {
        let sizes = [
            (&mut self.input_inv, 1),
            (&mut self.input_normed, shape.dim),
            (&mut self.query, shape.dim),
            (&mut self.key, shape.kv),
            (&mut self.value, shape.kv),
            (&mut self.attended, shape.dim),
            (&mut self.middle, shape.dim),
            (&mut self.middle_inv, 1),
            (&mut self.middle_normed, shape.dim),
            (&mut self.gate, shape.ff),
            (&mut self.up, shape.ff),
            (&mut self.gated, shape.ff),
        ];
        for (buffer, width) in sizes {
            buffer.resize(rows * width, 0.0);
        }
    }

    /// Values of binary32 that one row takes.
    pub fn width(shape: &Shape) -> usize {
        5 * shape.dim + 2 * shape.kv + 3 * shape.ff + 2
    }
}

/// One block's parameters.
#[derive(Clone, Copy)]
pub struct BlockRef<'a> {
    /// All parameters.
    pub values: &'a [f32],
    /// Where this block's stand.
    pub places: &'a Block,
    /// This block's matrices, packed forward.
    pub matrices: &'a BlockMatrices,
}

impl BlockRef<'_> {
    /// From the residual stream before the block, `[rows, dim]`, to rotated queries and keys, and values.
    pub fn project(
        &self,
        means: Means,
        rope: &RopeTable,
        positions: &[u32],
        input: &[f32],
        a: &mut Activations,
    ) -> Result<()> {
        let m = self.matrices;
        norm::rmsnorm(
            means.isa,
            input,
            &self.values[self.places.attention_norm.clone()],
            EPS,
            &mut a.input_normed,
            &mut a.input_inv,
        )?;
        means.linear(Chain::Start, &a.input_normed, &m.query, &mut a.query)?;
        means.linear(Chain::Start, &a.input_normed, &m.key, &mut a.key)?;
        means.linear(Chain::Start, &a.input_normed, &m.value, &mut a.value)?;
        rope.rotate(means.isa, positions, &mut a.query)?;
        rope.rotate(means.isa, positions, &mut a.key)?;
        Ok(())
    }

    /// From `attended` and the stream before the block to what the down projection reads.
    ///
    /// Both additions to the residual stream, here and in [`BlockRef::finish`], continue its value's chain:
    /// the terms of the projection are accumulated onto it one by one.
    pub fn feed(&self, means: Means, input: &[f32], a: &mut Activations) -> Result<()> {
        let m = self.matrices;
        a.middle.copy_from_slice(input);
        means.linear(Chain::Continue, &a.attended, &m.output, &mut a.middle)?;
        norm::rmsnorm(
            means.isa,
            &a.middle,
            &self.values[self.places.ff_norm.clone()],
            EPS,
            &mut a.middle_normed,
            &mut a.middle_inv,
        )?;
        means.linear(Chain::Start, &a.middle_normed, &m.gate, &mut a.gate)?;
        means.linear(Chain::Start, &a.middle_normed, &m.up, &mut a.up)?;
        Ok(gated::swiglu(means.isa, &a.gate, &a.up, &mut a.gated)?)
    }

    /// The residual stream after the block, `out` `[rows, dim]`.
    pub fn finish(&self, means: Means, a: &Activations, out: &mut [f32]) -> Result<()> {
        out.copy_from_slice(&a.middle);
        means.linear(Chain::Continue, &a.gated, &self.matrices.down, out)
    }
}
