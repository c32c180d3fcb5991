// SPDX-License-Identifier: Apache-2.0
//! One training sequence's way through the model and back.
//!
//! A tape keeps what the way back needs. Going back, it stops after each block with the gradients of that
//! block's operations, from which [`gradient`](super::gradient()) makes those of the parameters; then the
//! next block uses their space again.

use super::{Shape, View, EPS};
use crate::{
    backend::{Cpu, Matrix, Packing, Product, TrainingBackend},
    data::Example,
    decoder::block::Activations,
    files::config::Activation,
    Result,
};
use agorai_exact::matmul::Chain::{self, Continue, Start};

/// What the gates of a chain's models go through.
const ACTIVATION: Activation = Activation::Silu;

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
pub(super) struct Gradients<R> {
    pub(super) input_normed: R,
    pub(super) query: R,
    pub(super) key: R,
    pub(super) value: R,
    attended: R,
    pub(super) middle: R,
    pub(super) middle_normed: R,
    pub(super) gate: R,
    pub(super) up: R,
    gated: R,
    /// Of the residual stream before the block.
    pub(super) input: R,
    /// Of the residual stream after the block.
    pub(super) out: R,
}

impl Gradients<Vec<f32>> {
    /// Binary32 values that one row takes.
    fn width(shape: &Shape) -> usize {
        7 * shape.dim + 2 * shape.kv + 3 * shape.ff
    }
}

/// The inputs of a block's matrices, packed for the products that make their gradients.
#[derive(Default)]
pub(super) struct Inputs<M> {
    pub(super) input_normed: M,
    pub(super) attended: M,
    pub(super) middle_normed: M,
    pub(super) gated: M,
}

impl Inputs<Matrix> {
    /// Binary32 values that one row takes at most.
    fn width(shape: &Shape) -> usize {
        3 * shape.dim.next_multiple_of(32) + shape.ff.next_multiple_of(32)
    }
}

/// One product.
fn product<B: TrainingBackend>(
    backend: &B,
    chain: Chain,
    x: &B::Rows,
    matrix: &B::Matrix,
    out: &mut B::Rows,
    scratch: &mut B::Scratch,
) -> Result<()> {
    backend.linear(chain, x, &mut [Product { matrix, out }], scratch)
}

/// Rows `[rows, width]` that become the matrix `[width, rows]`.
fn transposed<'a, B: TrainingBackend>(
    (rows, width): (usize, usize),
    values: &'a B::Rows,
    matrix: &'a mut B::Matrix,
) -> Packing<'a, B> {
    Packing {
        rows: values,
        place: 0..rows * width,
        width,
        transposed: true,
        matrix,
    }
}

/// What one block computes on the way through.
struct BlockTape<B: TrainingBackend> {
    activations: Activations<B>,
    memory: B::Memory,
}

impl<B: TrainingBackend> BlockTape<B> {
    /// From the residual stream before a block to all that the way back reads.
    fn feed(&mut self, backend: &B, view: &View<'_, B>, layer: usize, input: &B::Rows) -> Result<()> {
        let (block, _) = view.block(layer);
        let (memory, a) = (&mut self.memory, &mut self.activations);
        block.feed(backend, &view.place(), ACTIVATION, EPS, memory, input, a)
    }

    /// From the gradient of the stream after the block, `g.out`, to that of the stream before it, `g.input`.
    fn backward(
        &self,
        backend: &B,
        view: &View<'_, B>,
        layer: usize,
        input: &B::Rows,
        g: &mut Gradients<B::Rows>,
        scratch: &mut B::Scratch,
    ) -> Result<()> {
        let (block, back) = view.block(layer);
        let (shape, a) = (&view.shape, &self.activations);
        let mut p = |chain, d, matrix, to: &mut B::Rows| product(backend, chain, d, matrix, to, scratch);
        p(Start, &g.out, &back.down, &mut g.gated)?;
        backend.gate_backward(ACTIVATION, &a.gate, &a.up, &g.gated, &mut g.gate, &mut g.up)?;
        p(Start, &g.gate, &back.gate, &mut g.middle_normed)?;
        p(Continue, &g.up, &back.up, &mut g.middle_normed)?;
        backend.norm_backward(
            &a.middle,
            &block.ff_norm,
            &a.middle_inv,
            &g.middle_normed,
            &mut g.middle,
        )?;
        backend.add(&g.out, &mut g.middle)?;
        p(Start, &g.middle, &back.output, &mut g.attended)?;
        backend.attend_backward(
            &shape.heads(),
            &a.key,
            &self.memory,
            &a.attention,
            &g.attended,
            &mut g.query,
            &mut g.key,
            &mut g.value,
            scratch,
        )?;
        backend.rotate_back(view.angles, 0, &mut g.query, shape.dim)?;
        backend.rotate_back(view.angles, 0, &mut g.key, shape.kv)?;
        let mut p = |chain, d, matrix, to: &mut B::Rows| product(backend, chain, d, matrix, to, scratch);
        p(Start, &g.query, &back.query, &mut g.input_normed)?;
        p(Continue, &g.key, &back.key, &mut g.input_normed)?;
        p(Continue, &g.value, &back.value, &mut g.input_normed)?;
        backend.norm_backward(
            input,
            &block.attention_norm,
            &a.input_inv,
            &g.input_normed,
            &mut g.input,
        )?;
        backend.add(&g.middle, &mut g.input)
    }
}

/// One sequence's way through the model and back. Its memory is used again from step to step.
pub struct Tape<B: TrainingBackend = Cpu> {
    keep: Keep,
    pub(super) tokens: Vec<u32>,
    /// The residual stream before each block, and after the last.
    pub(super) streams: Vec<B::Rows>,
    /// One for each block, or one for all of them.
    blocks: Vec<BlockTape<B>>,
    normed: B::Rows,
    /// 1 / rms of the last stream.
    pub(super) inv: B::Rows,
    pub(super) packed_normed: B::Matrix,
    /// The logits, then their gradient.
    pub(super) logits: B::Rows,
    losses: B::Rows,
    pub(super) d_normed: B::Rows,
    /// Those of the block that the way back has come to.
    pub(super) gradients: Gradients<B::Rows>,
    pub(super) inputs: Inputs<B::Matrix>,
    scratch: B::Scratch,
}

impl<B: TrainingBackend> Tape<B> {
    /// An empty tape.
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            tokens: Vec::new(),
            streams: Vec::new(),
            blocks: Vec::new(),
            normed: Default::default(),
            inv: Default::default(),
            packed_normed: Default::default(),
            logits: Default::default(),
            losses: Default::default(),
            d_normed: Default::default(),
            gradients: Default::default(),
            inputs: Default::default(),
            scratch: Default::default(),
        }
    }

    /// The loss of each token of the last sequence, in nats.
    pub fn losses(&self) -> &B::Rows {
        &self.losses
    }

    /// Through the model to the gradient of the last residual stream, that of the sum of the losses times
    /// `scale`.
    pub fn forward(&mut self, backend: &B, view: &View<'_, B>, example: &Example, scale: f32) -> Result<()> {
        let layers = view.layers();
        self.tokens.clone_from(&example.tokens);
        self.streams.resize_with(layers + 1, Default::default);
        let blocks = match self.keep {
            Keep::All => layers,
            Keep::Streams => layers.min(1),
        };
        self.blocks.truncate(blocks);
        while self.blocks.len() < blocks {
            self.blocks.push(BlockTape {
                activations: Activations::default(),
                memory: backend.memory(&view.shape.heads(), example.tokens.len())?,
            });
        }
        let embedding = &view.parameters.embedding;
        backend.embed(embedding, &self.tokens, 1.0, &mut self.streams[0])?;
        for layer in 0..layers {
            let tape = &mut self.blocks[layer.min(blocks - 1)];
            let (before, after) = self.streams.split_at_mut(layer + 1);
            tape.feed(backend, view, layer, &before[layer])?;
            let (block, _) = view.block(layer);
            block.finish(backend, EPS, &mut tape.activations, &mut after[0])?;
        }
        self.head(backend, view, &example.targets, scale)
    }

    /// From the last residual stream to the losses, and back to its gradient.
    fn head(&mut self, backend: &B, view: &View<'_, B>, targets: &[u32], scale: f32) -> Result<()> {
        let (shape, p) = (&view.shape, view.parameters);
        let (hidden, logits, scratch) = (&self.streams[view.layers()], &mut self.logits, &mut self.scratch);
        backend.norm(hidden, &p.norm, EPS, &mut self.normed, &mut self.inv)?;
        product(backend, Start, &self.normed, &p.head, logits, scratch)?;
        backend.loss(shape.vocab, targets, scale, logits, &mut self.losses)?;
        product(backend, Start, logits, &p.head_back, &mut self.d_normed, scratch)?;
        backend.norm_backward(hidden, &p.norm, &self.inv, &self.d_normed, &mut self.gradients.input)?;
        let size = (targets.len(), shape.dim);
        let packing = transposed(size, &self.normed, &mut self.packed_normed);
        backend.pack(vec![packing])
    }

    /// Back through one block, after the one behind it.
    pub fn backward(&mut self, backend: &B, view: &View<'_, B>, layer: usize) -> Result<()> {
        let input = &self.streams[layer];
        let index = self.index(layer);
        let tape = &mut self.blocks[index];
        if self.keep == Keep::Streams {
            tape.feed(backend, view, layer, input)?;
        }
        let g = &mut self.gradients;
        std::mem::swap(&mut g.input, &mut g.out);
        tape.backward(backend, view, layer, input, g, &mut self.scratch)?;
        let (a, to, rows) = (&tape.activations, &mut self.inputs, self.tokens.len());
        let (dim, ff) = ((rows, view.shape.dim), (rows, view.shape.ff));
        backend.pack(vec![
            transposed(dim, &a.input_normed, &mut to.input_normed),
            transposed(dim, &a.attended, &mut to.attended),
            transposed(dim, &a.middle_normed, &mut to.middle_normed),
            transposed(ff, &a.gated, &mut to.gated),
        ])
    }

    /// What the block computed that the way back has come to.
    pub(super) fn activations(&self, layer: usize) -> &Activations<B> {
        &self.blocks[self.index(layer)].activations
    }

    /// Where a block's activations are.
    fn index(&self, layer: usize) -> usize {
        layer.min(self.blocks.len().saturating_sub(1))
    }
}

impl Tape<Cpu> {
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
}

impl BlockTape<Cpu> {
    /// Binary32 values that a sequence of `rows` tokens takes.
    fn values(shape: &Shape, rows: u64) -> u64 {
        // Keys and values, and from above their copies in the memory, keys in whole panels. Queries and outputs are
        // copied for each head.
        let activations = 5 * shape.dim + 2 * shape.kv + 3 * shape.ff + 2;
        let row = activations + 4 * shape.kv + 2 * shape.dim;
        rows.saturating_mul(row as u64)
            .saturating_add((shape.heads as u64).saturating_mul(rows.saturating_mul(rows)))
            .saturating_add(64 * shape.kv as u64)
    }
}
