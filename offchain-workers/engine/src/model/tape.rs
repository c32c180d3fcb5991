// SPDX-License-Identifier: Apache-2.0
//! The forward and the backward pass of one training sequence.
//!
//! A tape retains what the backward pass reads. The backward pass stops after each block with the gradients of the
//! block's operations, from which [`gradient`](super::gradient()) computes those of the parameters; the next block
//! reuses their memory.

use super::parameters::View;
use crate::{
    backend::{Cpu, Matrix, Packing, Product, TrainingBackend},
    config::ModelConfig,
    data::Example,
    decoder::block::Activations,
    error::Result,
};
use agorai_exact::matmul::Accumulate::{self, Add, Overwrite};

/// Which activations a tape retains between the forward and the backward pass. It changes memory and time, no bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpointing {
    /// All that the backward pass reads.
    #[default]
    Off,
    /// The residual stream before each block; the backward pass recomputes the rest of a block.
    PerBlock,
}

/// The gradients of a block's activations, by the names of [`Activations`].
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
    /// The residual stream before the block.
    pub(super) input: R,
    /// The residual stream after the block.
    pub(super) out: R,
}

impl Gradients<Vec<f32>> {
    /// Returns the number of binary32 values of a row.
    fn width(config: &ModelConfig) -> usize {
        7 * config.dim + 2 * config.key_width() + 3 * config.ff
    }
}

/// The inputs of a block's matrices, packed for the products of their gradients.
#[derive(Default)]
pub(super) struct Inputs<M> {
    pub(super) input_normed: M,
    pub(super) attended: M,
    pub(super) middle_normed: M,
    pub(super) gated: M,
}

impl Inputs<Matrix> {
    /// Returns an upper bound of the number of binary32 values of a row.
    fn width(config: &ModelConfig) -> usize {
        3 * config.dim.next_multiple_of(32) + config.ff.next_multiple_of(32)
    }
}

/// Computes one product.
fn product<B: TrainingBackend>(
    backend: &B,
    accumulate: Accumulate,
    x: &B::Rows,
    matrix: &B::Matrix,
    out: &mut B::Rows,
    scratch: &mut B::Scratch,
) -> Result<()> {
    backend.linear(accumulate, x, &mut [Product { matrix, out }], scratch)
}

/// Packs rows `[rows, width]` as the matrix `[width, rows]`.
fn transposed<'a, B: TrainingBackend>(
    (rows, width): (usize, usize),
    values: &'a B::Rows,
    matrix: &'a mut B::Matrix,
) -> Packing<'a, B> {
    Packing {
        rows: values,
        range: 0..rows * width,
        width,
        transposed: true,
        matrix,
    }
}

/// The forward pass of one block.
struct BlockTape<B: TrainingBackend> {
    activations: Activations<B>,
    cache: B::KvCache,
}

impl<B: TrainingBackend> BlockTape<B> {
    /// Computes all that the backward pass reads from the residual stream before the block.
    fn feed(&mut self, backend: &B, view: &View<'_, B>, layer: usize, input: &B::Rows) -> Result<()> {
        let (block, _) = view.block(layer);
        let (cache, a) = (&mut self.cache, &mut self.activations);
        let (activation, eps) = (view.config.activation, view.config.norm_eps);
        block.feed(backend, &view.positions(), activation, eps, cache, input, a)
    }

    /// Computes the gradient of the stream before the block, `g.input`, from that of the stream after it, `g.out`.
    fn backward(
        &self,
        backend: &B,
        view: &View<'_, B>,
        layer: usize,
        input: &B::Rows,
        g: &mut Gradients<B::Rows>,
        scratch: &mut B::Scratch,
    ) -> Result<()> {
        let (block, transposed) = view.block(layer);
        let (config, a) = (view.config, &self.activations);
        let mut p = |accumulate, d, matrix, to: &mut B::Rows| product(backend, accumulate, d, matrix, to, scratch);
        p(Overwrite, &g.out, &transposed.down, &mut g.gated)?;
        backend.gate_backward(config.activation, &a.gate, &a.up, &g.gated, &mut g.gate, &mut g.up)?;
        p(Overwrite, &g.gate, &transposed.gate, &mut g.middle_normed)?;
        p(Add, &g.up, &transposed.up, &mut g.middle_normed)?;
        backend.norm_backward(
            &a.middle,
            &block.ff_norm,
            &a.middle_inv,
            &g.middle_normed,
            &mut g.middle,
        )?;
        backend.add(&g.out, &mut g.middle)?;
        p(Overwrite, &g.middle, &transposed.output, &mut g.attended)?;
        backend.attend_backward(
            &config.attention_heads(false),
            &a.key,
            &self.cache,
            &a.attention,
            &g.attended,
            &mut g.query,
            &mut g.key,
            &mut g.value,
            scratch,
        )?;
        backend.rotate_backward(view.angles, 0, &mut g.query, config.query_width())?;
        backend.rotate_backward(view.angles, 0, &mut g.key, config.key_width())?;
        let mut p = |accumulate, d, matrix, to: &mut B::Rows| product(backend, accumulate, d, matrix, to, scratch);
        p(Overwrite, &g.query, &transposed.query, &mut g.input_normed)?;
        p(Add, &g.key, &transposed.key, &mut g.input_normed)?;
        p(Add, &g.value, &transposed.value, &mut g.input_normed)?;
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

/// The forward and the backward pass of one sequence. Its memory is reused from step to step.
pub struct Tape<B: TrainingBackend = Cpu> {
    checkpointing: Checkpointing,
    pub(super) tokens: Vec<u32>,
    /// The residual stream before each block, and after the last.
    pub(super) streams: Vec<B::Rows>,
    /// One for each block, or one that all blocks share.
    blocks: Vec<BlockTape<B>>,
    normed: B::Rows,
    /// 1 / rms of the last residual stream.
    pub(super) inv: B::Rows,
    pub(super) packed_normed: B::Matrix,
    /// The logits, then their gradient.
    pub(super) logits: B::Rows,
    losses: B::Rows,
    pub(super) d_normed: B::Rows,
    /// The gradients of the current block of the backward pass.
    pub(super) gradients: Gradients<B::Rows>,
    pub(super) inputs: Inputs<B::Matrix>,
    scratch: B::Scratch,
}

impl<B: TrainingBackend> Tape<B> {
    /// Returns an empty tape.
    pub fn new(checkpointing: Checkpointing) -> Self {
        Self {
            checkpointing,
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

    /// Returns the loss of each token of the last sequence, in nats.
    pub fn losses(&self) -> &B::Rows {
        &self.losses
    }

    /// Runs the forward pass, and the backward pass of the head: up to the gradient of the last residual stream, of the
    /// sum of the losses times `scale`.
    pub fn forward(&mut self, backend: &B, view: &View<'_, B>, example: &Example, scale: f32) -> Result<()> {
        let layers = view.layers();
        self.tokens.clone_from(&example.tokens);
        self.streams.resize_with(layers + 1, Default::default);
        let blocks = match self.checkpointing {
            Checkpointing::Off => layers,
            Checkpointing::PerBlock => layers.min(1),
        };
        self.blocks.truncate(blocks);
        while self.blocks.len() < blocks {
            self.blocks.push(BlockTape {
                activations: Activations::default(),
                cache: backend.kv_cache(&view.config.attention_heads(false), example.tokens.len())?,
            });
        }
        let embedding = &view.parameters.embedding;
        backend.embed(embedding, &self.tokens, 1.0, &mut self.streams[0])?;
        for layer in 0..layers {
            let tape = &mut self.blocks[layer.min(blocks - 1)];
            let (before, after) = self.streams.split_at_mut(layer + 1);
            tape.feed(backend, view, layer, &before[layer])?;
            let (block, _) = view.block(layer);
            block.finish(backend, view.config.norm_eps, &mut tape.activations, &mut after[0])?;
        }
        self.head(backend, view, &example.targets, scale)
    }

    /// Computes the losses from the last residual stream, and its gradient from the losses.
    fn head(&mut self, backend: &B, view: &View<'_, B>, targets: &[u32], scale: f32) -> Result<()> {
        let (config, p) = (view.config, view.parameters);
        let (hidden, logits, scratch) = (&self.streams[view.layers()], &mut self.logits, &mut self.scratch);
        backend.norm(hidden, &p.norm, config.norm_eps, &mut self.normed, &mut self.inv)?;
        product(backend, Overwrite, &self.normed, &p.head, logits, scratch)?;
        backend.loss(config.vocab, targets, scale, logits, &mut self.losses)?;
        product(
            backend,
            Overwrite,
            logits,
            &p.head_transposed,
            &mut self.d_normed,
            scratch,
        )?;
        backend.norm_backward(hidden, &p.norm, &self.inv, &self.d_normed, &mut self.gradients.input)?;
        let size = (targets.len(), config.dim);
        let packing = transposed(size, &self.normed, &mut self.packed_normed);
        backend.pack(vec![packing])
    }

    /// Runs the backward pass of one block; blocks must be passed in descending order.
    pub fn backward(&mut self, backend: &B, view: &View<'_, B>, layer: usize) -> Result<()> {
        let input = &self.streams[layer];
        let index = self.index(layer);
        let tape = &mut self.blocks[index];
        if self.checkpointing == Checkpointing::PerBlock {
            tape.feed(backend, view, layer, input)?;
        }
        let g = &mut self.gradients;
        std::mem::swap(&mut g.input, &mut g.out);
        tape.backward(backend, view, layer, input, g, &mut self.scratch)?;
        let (a, to, rows) = (&tape.activations, &mut self.inputs, self.tokens.len());
        let (dim, ff) = ((rows, view.config.dim), (rows, view.config.ff));
        backend.pack(vec![
            transposed(dim, &a.input_normed, &mut to.input_normed),
            transposed(dim, &a.attended, &mut to.attended),
            transposed(dim, &a.middle_normed, &mut to.middle_normed),
            transposed(ff, &a.gated, &mut to.gated),
        ])
    }

    /// Returns the activations of the current block of the backward pass.
    pub(super) fn activations(&self, layer: usize) -> &Activations<B> {
        &self.blocks[self.index(layer)].activations
    }

    /// Returns the index of a block's activations.
    fn index(&self, layer: usize) -> usize {
        layer.min(self.blocks.len().saturating_sub(1))
    }
}

impl Tape<Cpu> {
    /// Returns an upper bound of the number of binary32 values of a tape of `rows` tokens.
    pub fn values(config: &ModelConfig, rows: usize, checkpointing: Checkpointing) -> u64 {
        let blocks = match checkpointing {
            Checkpointing::Off => config.layers as u64,
            Checkpointing::PerBlock => config.layers.min(1) as u64,
        };
        let panels = |width: usize| width.next_multiple_of(32);
        // The buffers of the head, of the backward pass, and of attention in it.
        let row = config.vocab
            + 2 * config.dim
            + panels(config.dim)
            + 5
            + Gradients::width(config)
            + Inputs::width(config)
            + 9 * panels(config.head_dim)
            + config.dim * (config.layers + 1);
        let rows = rows as u64;
        rows.saturating_mul((row as u64).saturating_add(rows))
            .saturating_add(BlockTape::values(config, rows).saturating_mul(blocks))
    }
}

impl BlockTape<Cpu> {
    /// Returns an upper bound of the number of binary32 values of a sequence of `rows` tokens.
    fn values(config: &ModelConfig, rows: u64) -> u64 {
        // Keys and values, their copies in the cache (the keys in whole panels), and the queries and outputs that are
        // copied for each head.
        let activations = 5 * config.dim + 2 * config.key_width() + 3 * config.ff + 2;
        let row = activations + 4 * config.key_width() + 2 * config.dim;
        rows.saturating_mul(row as u64)
            .saturating_add((config.heads as u64).saturating_mul(rows.saturating_mul(rows)))
            .saturating_add(64 * config.key_width() as u64)
    }
}
