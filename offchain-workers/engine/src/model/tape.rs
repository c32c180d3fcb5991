// SPDX-License-Identifier: Apache-2.0
//! One training sequence's way through the model and back, by hand on the exact operations.
//!
//! A tape keeps what the way back needs. Going back, it stops after each block with the gradients of that
//! block's operations, from which [`gradient`](super::gradient()) makes those of the parameters; then the
//! next block uses their space again.

use super::{
    block::{Activations, EPS},
    matrices::{BlockMatrices, Matrices},
    Shape, View,
};
use crate::{
    backend::cpu::attention::{attend, attend_backward, BackwardScratch, Head, Memory},
    data::Example,
    parallel::Means,
    Result,
};
use agorai_exact::{elementwise, embedding, gated, loss, matmul::Chain, norm, PackedMatrix};

/// What a tape keeps on the way through the model. It changes memory and time, no bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All that the way back needs.
    #[default]
    All,
    /// The residual stream before each block: the way back computes the rest of a block once more.
    Streams,
}

/// Gradients of a block's operations' outputs; the names are those of [`Activations`].
#[derive(Default)]
pub(super) struct Gradients {
    pub(super) input_normed: Vec<f32>,
    pub(super) query: Vec<f32>,
    pub(super) key: Vec<f32>,
    pub(super) value: Vec<f32>,
    attended: Vec<f32>,
    pub(super) middle: Vec<f32>,
    pub(super) middle_normed: Vec<f32>,
    pub(super) gate: Vec<f32>,
    pub(super) up: Vec<f32>,
    gated: Vec<f32>,
    /// Of the residual stream before the block.
    pub(super) input: Vec<f32>,
    /// Of the residual stream after the block.
    pub(super) out: Vec<f32>,
}

impl Gradients {
    fn resize(&mut self, shape: &Shape, rows: usize) {
        let sizes = [
            (&mut self.input_normed, shape.dim),
            (&mut self.query, shape.dim),
            (&mut self.key, shape.kv),
            (&mut self.value, shape.kv),
            (&mut self.attended, shape.dim),
            (&mut self.middle, shape.dim),
            (&mut self.middle_normed, shape.dim),
            (&mut self.gate, shape.ff),
            (&mut self.up, shape.ff),
            (&mut self.gated, shape.ff),
            (&mut self.input, shape.dim),
            (&mut self.out, shape.dim),
        ];
        for (buffer, width) in sizes {
            buffer.resize(rows * width, 0.0);
        }
    }

    /// Binary32 values that one row takes.
    fn width(shape: &Shape) -> usize {
        7 * shape.dim + 2 * shape.kv + 3 * shape.ff
    }
}

/// The inputs of a block's matrices, packed for the products that make their gradients.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) input_normed: PackedMatrix,
    pub(super) attended: PackedMatrix,
    pub(super) middle_normed: PackedMatrix,
    pub(super) gated: PackedMatrix,
}

impl Inputs {
    fn pack(&mut self, shape: &Shape, rows: usize, a: &Activations) -> Result<()> {
        let dim = shape.dim;
        self.input_normed.pack_in_out(rows, dim, &a.input_normed)?;
        self.attended.pack_in_out(rows, dim, &a.attended)?;
        self.middle_normed
            .pack_in_out(rows, dim, &a.middle_normed)?;
        Ok(self.gated.pack_in_out(rows, shape.ff, &a.gated)?)
    }

    /// Binary32 values that one row takes at most.
    fn width(shape: &Shape) -> usize {
        3 * shape.dim.next_multiple_of(32) + shape.ff.next_multiple_of(32)
    }
}

/// What one block computes on the way through.
#[derive(Default)]
pub(super) struct BlockTape {
    pub(super) activations: Activations,
    memory: Vec<Memory>,
    heads: Vec<Head>,
}

impl BlockTape {
    /// From the residual stream before the block to all that the way back needs.
    fn forward(
        &mut self,
        means: Means,
        view: View<'_>,
        layer: usize,
        positions: &[u32],
        input: &[f32],
    ) -> Result<()> {
        let shape = view.shape;
        self.memory.iter_mut().for_each(Memory::clear);
        while self.memory.len() < shape.kv_heads {
            self.memory.push(Memory::new(shape.head)?);
        }
        let a = &mut self.activations;
        a.resize(&shape, positions.len());
        let block = view.block(layer);
        block.project(means, view.rope, positions, input, a)?;
        attend(
            means,
            &shape.heads(),
            0,
            &a.query,
            &a.key,
            &a.value,
            &mut self.memory,
            &mut self.heads,
            &mut a.attended,
        )?;
        block.feed(means, input, a)
    }

    /// From the gradient of the stream after the block, `g.out`, to that of the stream before it, `g.input`.
    #[allow(clippy::too_many_arguments)]
    fn backward(
        &self,
        means: Means,
        view: View<'_>,
        layer: usize,
        matrices: &BlockMatrices,
        positions: &[u32],
        input: &[f32],
        g: &mut Gradients,
        scratch: &mut BackwardScratch,
    ) -> Result<()> {
        let (isa, shape) = (means.isa, view.shape);
        let places = &view.layout.blocks[layer];
        let a = &self.activations;
        means.linear(Chain::Start, &g.out, &matrices.down, &mut g.gated)?;
        gated::swiglu_backward(isa, &a.gate, &a.up, &g.gated, &mut g.gate, &mut g.up)?;
        means.linear(Chain::Start, &g.gate, &matrices.gate, &mut g.middle_normed)?;
        means.linear(Chain::Continue, &g.up, &matrices.up, &mut g.middle_normed)?;
        norm::rmsnorm_backward_input(
            isa,
            &a.middle,
            &view.values[places.ff_norm.clone()],
            &a.middle_inv,
            &g.middle_normed,
            &mut g.middle,
        )?;
        elementwise::add_assign(isa, &mut g.middle, &g.out)?;
        means.linear(Chain::Start, &g.middle, &matrices.output, &mut g.attended)?;
        attend_backward(
            means,
            &shape.heads(),
            &a.key,
            &self.memory,
            &self.heads,
            &g.attended,
            &mut g.query,
            &mut g.key,
            &mut g.value,
            scratch,
        )?;
        view.rope.rotate_back(isa, positions, &mut g.query)?;
        view.rope.rotate_back(isa, positions, &mut g.key)?;
        let normed = &mut g.input_normed;
        means.linear(Chain::Start, &g.query, &matrices.query, normed)?;
        means.linear(Chain::Continue, &g.key, &matrices.key, normed)?;
        means.linear(Chain::Continue, &g.value, &matrices.value, normed)?;
        norm::rmsnorm_backward_input(
            isa,
            input,
            &view.values[places.attention_norm.clone()],
            &a.input_inv,
            &g.input_normed,
            &mut g.input,
        )?;
        Ok(elementwise::add_assign(isa, &mut g.input, &g.middle)?)
    }

    /// Binary32 values that a sequence of `rows` tokens takes.
    fn values(shape: &Shape, rows: u64) -> u64 {
        // Keys and values grow as vectors do: up to twice what they hold. Queries and outputs are copied
        // for each head.
        let row = Activations::width(shape) + 4 * shape.kv + 2 * shape.dim;
        rows.saturating_mul(row as u64)
            .saturating_add((shape.heads as u64).saturating_mul(rows.saturating_mul(rows)))
            .saturating_add(64 * shape.kv as u64)
    }
}

/// One sequence's way through the model and back. Its memory is used again from step to step.
#[derive(Default)]
pub struct Tape {
    keep: Keep,
    pub(super) tokens: Vec<u32>,
    targets: Vec<u32>,
    positions: Vec<u32>,
    /// The residual stream before each block, and after the last.
    pub(super) streams: Vec<Vec<f32>>,
    /// One for each block, or one for all of them.
    blocks: Vec<BlockTape>,
    normed: Vec<f32>,
    /// 1 / rms of the last stream.
    pub(super) inv: Vec<f32>,
    pub(super) packed_normed: PackedMatrix,
    /// The logits, then their gradient.
    pub(super) logits: Vec<f32>,
    losses: Vec<f32>,
    pub(super) d_normed: Vec<f32>,
    /// Those of the block that the way back has come to.
    pub(super) gradients: Gradients,
    pub(super) inputs: Inputs,
    scratch: BackwardScratch,
}

impl Tape {
    /// An empty tape.
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// The loss of each token of the last sequence, in nats.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Binary32 values that a tape of `rows` tokens holds, from above.
    pub fn values(shape: &Shape, layers: usize, rows: usize, keep: Keep) -> u64 {
        let blocks = match keep {
            Keep::All => layers as u64,
            Keep::Streams => layers.min(1) as u64,
        };
        let panels = |width: usize| width.next_multiple_of(32);
        // The head's buffers, those of the way back, and attention's in it.
        let row = shape.vocab
            + 2 * shape.dim
            + panels(shape.dim)
            + 5
            + Gradients::width(shape)
            + Inputs::width(shape)
            + 9 * panels(shape.head)
            + shape.dim * (layers + 1);
        let rows = rows as u64;
        rows.saturating_mul((row as u64).saturating_add(rows))
            .saturating_add(BlockTape::values(shape, rows).saturating_mul(blocks))
    }

    /// Through the model to the gradient of the last residual stream, that of the sum of the losses times
    /// `scale`. `backward`: the matrices packed backward.
    pub fn forward(
        &mut self,
        means: Means,
        view: View<'_>,
        backward: &Matrices,
        example: &Example,
        scale: f32,
    ) -> Result<()> {
        let shape = view.shape;
        let rows = example.tokens.len();
        let layers = view.layers();
        self.tokens.clone_from(&example.tokens);
        self.targets.clone_from(&example.targets);
        self.positions.clear();
        self.positions
            .extend((0..rows).map(|position| position as u32));
        self.streams.resize_with(layers + 1, Vec::new);
        for stream in &mut self.streams {
            stream.resize(rows * shape.dim, 0.0);
        }
        let blocks = match self.keep {
            Keep::All => layers,
            Keep::Streams => layers.min(1),
        };
        self.blocks.resize_with(blocks, BlockTape::default);
        embedding::gather(
            view.embedding(),
            shape.dim,
            &self.tokens,
            &mut self.streams[0],
        )?;
        for layer in 0..layers {
            let block = &mut self.blocks[layer.min(blocks - 1)];
            let (before, after) = self.streams.split_at_mut(layer + 1);
            let (input, out) = (&before[layer], &mut after[0]);
            block.forward(means, view, layer, &self.positions, input)?;
            view.block(layer).finish(means, &block.activations, out)?;
        }
        self.head(means, view, backward, scale)
    }

    /// From the last residual stream to the losses, and back to its gradient.
    fn head(
        &mut self,
        means: Means,
        view: View<'_>,
        backward: &Matrices,
        scale: f32,
    ) -> Result<()> {
        let (isa, shape) = (means.isa, view.shape);
        let rows = self.tokens.len();
        self.inv.resize(rows, 0.0);
        self.losses.resize(rows, 0.0);
        self.normed.resize(rows * shape.dim, 0.0);
        self.d_normed.resize(rows * shape.dim, 0.0);
        self.logits.resize(rows * shape.vocab, 0.0);
        self.gradients.resize(&shape, rows);
        let hidden = &self.streams[view.layers()];
        let weight = view.norm();
        norm::rmsnorm(isa, hidden, weight, EPS, &mut self.normed, &mut self.inv)?;
        let logits = &mut self.logits;
        means.linear(Chain::Start, &self.normed, &view.matrices.head, logits)?;
        loss::cross_entropy_backward(
            isa,
            logits,
            shape.vocab,
            &self.targets,
            scale,
            &mut self.losses,
        )?;
        means.linear(Chain::Start, logits, &backward.head, &mut self.d_normed)?;
        norm::rmsnorm_backward_input(
            isa,
            hidden,
            weight,
            &self.inv,
            &self.d_normed,
            &mut self.gradients.input,
        )?;
        Ok(self
            .packed_normed
            .pack_in_out(rows, shape.dim, &self.normed)?)
    }

    /// Back through one block, after the one behind it.
    pub fn backward(
        &mut self,
        means: Means,
        view: View<'_>,
        backward: &Matrices,
        layer: usize,
    ) -> Result<()> {
        let (positions, input) = (&self.positions, &self.streams[layer]);
        let block = match self.keep {
            Keep::All => &self.blocks[layer],
            Keep::Streams => {
                let block = &mut self.blocks[0];
                block.forward(means, view, layer, positions, input)?;
                block
            }
        };
        let g = &mut self.gradients;
        std::mem::swap(&mut g.input, &mut g.out);
        let matrices = &backward.blocks[layer];
        let scratch = &mut self.scratch;
        block.backward(means, view, layer, matrices, positions, input, g, scratch)?;
        self.inputs
            .pack(&view.shape, positions.len(), &block.activations)
    }

    /// What the block computed that the way back has come to.
    pub(super) fn activations(&self, layer: usize) -> &Activations {
        let last = self.blocks.len().saturating_sub(1);
        &self.blocks[layer.min(last)].activations
    }
}
