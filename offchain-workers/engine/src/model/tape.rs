// SPDX-License-Identifier: Apache-2.0
//! Forward and backward of one training sequence, by hand on the exact operations.
//!
//! A tape keeps what the backward pass needs; it then keeps the gradients of every operation's output, from
//! which [`accumulate`] makes the gradients of the parameters. Sequences are independent until
//! there, so each may have a thread of its own; the gradient of a parameter is one chain over all rows of
//! all sequences in order, whatever thread computes it.

use super::{
    attention::{attend, attend_backward, BackwardScratch, Head, Memory},
    block::{Activations, EPS},
    matrices::{BlockMatrices, Matrices},
    Shape, View,
};
use crate::{data::Example, parallel::Means, Result};
use agorai_exact::{elementwise, embedding, gated, loss, matmul::Chain, norm, PackedMatrix};

/// Gradients of a block's intermediate results; the names are those of [`Activations`].
#[derive(Default)]
struct Gradients {
    input_normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    attended: Vec<f32>,
    middle: Vec<f32>,
    middle_normed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    gated: Vec<f32>,
    /// Of the residual stream after the block.
    out: Vec<f32>,
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
            (&mut self.out, shape.dim),
        ];
        for (buffer, width) in sizes {
            buffer.resize(rows * width, 0.0);
        }
    }
}

/// The inputs of a block's matrices, packed for the products that make their gradients.
#[derive(Default)]
struct Inputs {
    input_normed: PackedMatrix,
    attended: PackedMatrix,
    middle_normed: PackedMatrix,
    gated: PackedMatrix,
}

#[derive(Default)]
struct BlockTape {
    activations: Activations,
    memory: Vec<Memory>,
    heads: Vec<Head>,
    gradients: Gradients,
    inputs: Inputs,
}

/// One sequence's way through the model and back. Its memory is used again from step to step.
#[derive(Default)]
pub struct Tape {
    tokens: Vec<u32>,
    targets: Vec<u32>,
    positions: Vec<u32>,
    blocks: Vec<BlockTape>,
    /// The residual stream after the last block, its norm and 1 / rms.
    hidden: Vec<f32>,
    normed: Vec<f32>,
    inv: Vec<f32>,
    packed_normed: PackedMatrix,
    /// The logits, then their gradient.
    logits: Vec<f32>,
    losses: Vec<f32>,
    d_normed: Vec<f32>,
    d_hidden: Vec<f32>,
    d_embedded: Vec<f32>,
    scratch: BackwardScratch,
}

impl Tape {
    /// The loss of each token of the last sequence, in nats.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Binary32 values that a tape of `rows` tokens holds, roughly from above.
    pub fn values(shape: &Shape, layers: usize, rows: usize) -> u64 {
        let row = 4 * (Activations::width(shape) + 2 * shape.ff) as u64;
        let rows = rows as u64;
        let attention = 2 * (shape.heads as u64) * rows * rows;
        let block = (row * rows).saturating_add(attention);
        let head = rows * (3 * shape.vocab + 6 * shape.dim) as u64;
        block.saturating_mul(layers as u64).saturating_add(head)
    }

    /// Forward and backward. The gradient is that of the sum of the losses times `scale`. `backward`: the
    /// matrices packed backward.
    pub fn run(
        &mut self,
        means: Means,
        view: View<'_>,
        backward: &Matrices,
        example: &Example,
        scale: f32,
    ) -> Result<()> {
        self.forward(means, view, example)?;
        loss::cross_entropy_backward(
            means.isa,
            &mut self.logits,
            view.shape.vocab,
            &self.targets,
            scale,
            &mut self.losses,
        )?;
        self.backward(means, view, backward)
    }

    fn forward(&mut self, means: Means, view: View<'_>, example: &Example) -> Result<()> {
        let shape = view.shape;
        let rows = example.tokens.len();
        self.tokens.clone_from(&example.tokens);
        self.targets.clone_from(&example.targets);
        self.positions.clear();
        self.positions
            .extend((0..rows).map(|position| position as u32));
        self.losses.resize(rows, 0.0);
        self.blocks.resize_with(view.layers(), BlockTape::default);
        self.hidden.resize(rows * shape.dim, 0.0);
        for block in &mut self.blocks {
            block.activations.resize(&shape, rows);
            block.memory.clear();
            for _ in 0..shape.kv_heads {
                block.memory.push(Memory::new(shape.head)?);
            }
        }
        if let Some(first) = self.blocks.first_mut() {
            let input = &mut first.activations.input;
            embedding::gather(view.embedding(), shape.dim, &self.tokens, input)?;
        }
        let mut rest = &mut self.blocks[..];
        let mut layer = 0;
        while let Some((block, after)) = rest.split_first_mut() {
            let parameters = view.block(layer);
            let a = &mut block.activations;
            parameters.project(means, view.rope, &self.positions, a)?;
            attend(
                means,
                &shape.heads(),
                0,
                &a.query,
                &a.key,
                &a.value,
                &mut block.memory,
                &mut block.heads,
                &mut a.attended,
            )?;
            let out = match after.first_mut() {
                Some(next) => &mut next.activations.input,
                None => &mut self.hidden,
            };
            parameters.finish(means, a, out)?;
            rest = after;
            layer += 1;
        }
        self.normed.resize(rows * shape.dim, 0.0);
        self.inv.resize(rows, 0.0);
        self.logits.resize(rows * shape.vocab, 0.0);
        norm::rmsnorm(
            means.isa,
            &self.hidden,
            view.norm(),
            EPS,
            &mut self.normed,
            &mut self.inv,
        )?;
        means.linear(
            Chain::Start,
            &self.normed,
            &view.matrices.head,
            &mut self.logits,
        )
    }

    fn backward(&mut self, means: Means, view: View<'_>, backward: &Matrices) -> Result<()> {
        let shape = view.shape;
        let rows = self.tokens.len();
        for buffer in [&mut self.d_normed, &mut self.d_hidden, &mut self.d_embedded] {
            buffer.resize(rows * shape.dim, 0.0);
        }
        means.linear(
            Chain::Start,
            &self.logits,
            &backward.head,
            &mut self.d_normed,
        )?;
        norm::rmsnorm_backward_input(
            means.isa,
            &self.hidden,
            view.norm(),
            &self.inv,
            &self.d_normed,
            &mut self.d_hidden,
        )?;
        self.packed_normed
            .pack_in_out(rows, shape.dim, &self.normed)?;
        for block in &mut self.blocks {
            block.gradients.resize(&shape, rows);
        }
        if let Some(last) = self.blocks.last_mut() {
            last.gradients.out.copy_from_slice(&self.d_hidden);
        }
        let mut rest = &mut self.blocks[..];
        while let Some((block, before)) = rest.split_last_mut() {
            let layer = before.len();
            let d_input = match before.last_mut() {
                Some(previous) => &mut previous.gradients.out,
                None => &mut self.d_embedded,
            };
            block.backward(
                means,
                view,
                layer,
                &backward.blocks[layer],
                &self.positions,
                d_input,
                &mut self.scratch,
            )?;
            rest = before;
        }
        Ok(())
    }
}

impl BlockTape {
    #[allow(clippy::too_many_arguments)]
    fn backward(
        &mut self,
        means: Means,
        view: View<'_>,
        layer: usize,
        matrices: &BlockMatrices,
        positions: &[u32],
        d_input: &mut [f32],
        scratch: &mut BackwardScratch,
    ) -> Result<()> {
        let (isa, shape) = (means.isa, view.shape);
        let places = &view.layout.blocks[layer];
        let (a, g) = (&self.activations, &mut self.gradients);
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
        means.linear(Chain::Start, &g.query, &matrices.query, &mut g.input_normed)?;
        means.linear(Chain::Continue, &g.key, &matrices.key, &mut g.input_normed)?;
        means.linear(
            Chain::Continue,
            &g.value,
            &matrices.value,
            &mut g.input_normed,
        )?;
        norm::rmsnorm_backward_input(
            isa,
            &a.input,
            &view.values[places.attention_norm.clone()],
            &a.input_inv,
            &g.input_normed,
            d_input,
        )?;
        elementwise::add_assign(isa, d_input, &g.middle)?;
        let rows = positions.len();
        let inputs = &mut self.inputs;
        inputs
            .input_normed
            .pack_in_out(rows, shape.dim, &a.input_normed)?;
        inputs.attended.pack_in_out(rows, shape.dim, &a.attended)?;
        inputs
            .middle_normed
            .pack_in_out(rows, shape.dim, &a.middle_normed)?;
        inputs.gated.pack_in_out(rows, shape.ff, &a.gated)?;
        Ok(())
    }
}

/// Rows of a matrix's gradient that one task computes.
const BAND: usize = 128;

/// The gradients of all parameters from the tapes of a batch, into `gradient` in the layout's order.
pub fn accumulate(
    means: Means,
    view: View<'_>,
    tapes: &[Tape],
    gradient: &mut [f32],
) -> Result<()> {
    let isa = means.isa;
    gradient.fill(0.0);
    let mut rest = gradient;
    let mut parts = view.layout.slots.iter().map(|slot| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(slot.range.len());
        rest = after;
        part
    });
    let mut next = || parts.next().unwrap_or_default();
    let mut tasks: Vec<Task<'_>> = Vec::new();
    let width = view.shape.dim;
    let part = next();
    tasks.push(Box::new(move || {
        for tape in tapes {
            embedding::scatter_add(isa, part, width, &tape.tokens, &tape.d_embedded)?;
        }
        Ok(())
    }));
    for layer in 0..view.layers() {
        let mut matrix = |part, pick: fn(&BlockTape) -> (&[f32], &PackedMatrix)| {
            push_matrix(isa, &mut tasks, part, tapes, move |tape| {
                pick(&tape.blocks[layer])
            });
        };
        let attention_norm = next();
        matrix(next(), |b| (&b.gradients.query, &b.inputs.input_normed));
        matrix(next(), |b| (&b.gradients.key, &b.inputs.input_normed));
        matrix(next(), |b| (&b.gradients.value, &b.inputs.input_normed));
        matrix(next(), |b| (&b.gradients.middle, &b.inputs.attended));
        let ff_norm = next();
        matrix(next(), |b| (&b.gradients.gate, &b.inputs.middle_normed));
        matrix(next(), |b| (&b.gradients.up, &b.inputs.middle_normed));
        matrix(next(), |b| (&b.gradients.out, &b.inputs.gated));
        push_norm(isa, &mut tasks, attention_norm, tapes, move |tape| {
            let b = &tape.blocks[layer];
            let a = &b.activations;
            (&a.input, &a.input_inv, &b.gradients.input_normed)
        });
        push_norm(isa, &mut tasks, ff_norm, tapes, move |tape| {
            let b = &tape.blocks[layer];
            let a = &b.activations;
            (&a.middle, &a.middle_inv, &b.gradients.middle_normed)
        });
    }
    push_norm(isa, &mut tasks, next(), tapes, |tape| {
        (&tape.hidden, &tape.inv, &tape.d_normed)
    });
    push_matrix(isa, &mut tasks, next(), tapes, |tape| {
        (&tape.logits, &tape.packed_normed)
    });
    means.run(tasks)
}

type Task<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Tasks that make the gradient of a matrix `[outputs, inputs]`, some outputs each: `pick` gives a tape's
/// gradient of the outputs, `[rows, outputs]`, and the packed inputs `[rows, inputs]`.
fn push_matrix<'a>(
    isa: agorai_exact::Isa,
    tasks: &mut Vec<Task<'a>>,
    gradient: &'a mut [f32],
    tapes: &'a [Tape],
    pick: impl Fn(&'a Tape) -> (&'a [f32], &'a PackedMatrix) + Copy + Send + 'a,
) {
    let Some((_, inputs)) = tapes.first().map(pick) else {
        return;
    };
    let width = inputs.n();
    let outputs = gradient.len() / width;
    for (band, part) in gradient.chunks_mut(BAND * width).enumerate() {
        let first = band * BAND;
        let columns = first..first + part.len() / width;
        tasks.push(Box::new(move || {
            for tape in tapes {
                let (d_out, inputs) = pick(tape);
                agorai_exact::matmul_at(
                    isa,
                    Chain::Continue,
                    d_out,
                    outputs,
                    columns.clone(),
                    inputs,
                    part,
                )?;
            }
            Ok(())
        }));
    }
}

/// The task that makes the gradient of a norm's weight: `pick` gives a tape's input, 1 / rms and gradient
/// of the output.
fn push_norm<'a>(
    isa: agorai_exact::Isa,
    tasks: &mut Vec<Task<'a>>,
    gradient: &'a mut [f32],
    tapes: &'a [Tape],
    pick: impl Fn(&'a Tape) -> (&'a [f32], &'a [f32], &'a [f32]) + Send + 'a,
) {
    tasks.push(Box::new(move || {
        let width = gradient.len();
        for tape in tapes {
            let (x, inv, d_out) = pick(tape);
            norm::rmsnorm_backward_weight(isa, x, width, inv, d_out, 0..width, gradient)?;
        }
        Ok(())
    }));
}
