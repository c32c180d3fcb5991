// SPDX-License-Identifier: Apache-2.0
//! The gradients of all parameters, from the tapes of a batch.
//!
//! The sequences go through the model each on its own, and come back together, block by block: after each,
//! the gradients of its parameters are made, while what they are made of is still near. The gradient of a
//! parameter is one chain over all rows of all sequences in order, whatever thread computes it.

use super::{
    matrices::Matrices,
    tape::{Gradients, Inputs, Tape},
    View,
};
use crate::{data::Example, parallel::Means, Result};
use agorai_exact::{embedding, matmul::Chain, norm, Isa, PackedMatrix};

/// Rows of a matrix's gradient that one task computes.
const BAND: usize = 128;

type Task<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// The gradient of the sum of the losses times `scale` of one example for each tape, into `gradient` in the
/// layout's order. `backward`: the matrices packed backward.
pub fn gradient(
    means: Means,
    view: View<'_>,
    backward: &Matrices,
    tapes: &mut [Tape],
    examples: &[Example],
    scale: f32,
    gradient: &mut [f32],
) -> Result<()> {
    let (isa, alone, layout) = (means.isa, means.alone(), view.layout);
    let pairs = tapes.iter_mut().zip(examples);
    means.run(
        pairs.map(|(tape, example)| move || tape.forward(alone, view, backward, example, scale)),
    )?;
    let (rest, head) = gradient.split_at_mut(layout.head.start);
    let (rest, norm) = rest.split_at_mut(layout.norm.start);
    let last = view.layers();
    let mut tasks = Vec::new();
    push_matrix(isa, &mut tasks, head, tapes, |tape| {
        (&tape.logits, &tape.packed_normed)
    });
    push_norm(isa, &mut tasks, norm, tapes, move |tape| {
        (&tape.streams[last], &tape.inv, &tape.d_normed)
    });
    means.run(tasks)?;
    let (table, mut rest) = rest.split_at_mut(layout.embedding.end);
    for (layer, places) in layout.blocks.iter().enumerate().rev() {
        means.run(
            tapes
                .iter_mut()
                .map(|tape| move || tape.backward(alone, view, backward, layer)),
        )?;
        let (before, block) = rest.split_at_mut(places.attention_norm.start - layout.embedding.end);
        rest = before;
        means.run(block_tasks(isa, view, layer, tapes, block))?;
    }
    let width = view.shape.dim;
    table.fill(0.0);
    for tape in &*tapes {
        embedding::scatter_add(isa, table, width, &tape.tokens, &tape.gradients.input)?;
    }
    Ok(())
}

/// Tasks that make the gradients of a block's parameters, `gradient` from the block's first one on.
fn block_tasks<'a>(
    isa: Isa,
    view: View<'_>,
    layer: usize,
    tapes: &'a [Tape],
    gradient: &'a mut [f32],
) -> Vec<Task<'a>> {
    let places = &view.layout.blocks[layer];
    let mut rest = gradient;
    let mut next = |place: &std::ops::Range<usize>| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(place.len());
        rest = after;
        part
    };
    let mut tasks = Vec::new();
    let mut matrix =
        |part, pick: fn(&'a Gradients, &'a Inputs) -> (&'a [f32], &'a PackedMatrix)| {
            push_matrix(isa, &mut tasks, part, tapes, move |tape| {
                pick(&tape.gradients, &tape.inputs)
            });
        };
    let attention_norm = next(&places.attention_norm);
    matrix(next(&places.query), |g, i| (&g.query, &i.input_normed));
    matrix(next(&places.key), |g, i| (&g.key, &i.input_normed));
    matrix(next(&places.value), |g, i| (&g.value, &i.input_normed));
    matrix(next(&places.output), |g, i| (&g.middle, &i.attended));
    let ff_norm = next(&places.ff_norm);
    matrix(next(&places.gate), |g, i| (&g.gate, &i.middle_normed));
    matrix(next(&places.up), |g, i| (&g.up, &i.middle_normed));
    matrix(next(&places.down), |g, i| (&g.out, &i.gated));
    push_norm(isa, &mut tasks, attention_norm, tapes, move |tape| {
        let a = tape.activations(layer);
        (
            &tape.streams[layer],
            &a.input_inv,
            &tape.gradients.input_normed,
        )
    });
    push_norm(isa, &mut tasks, ff_norm, tapes, move |tape| {
        let a = tape.activations(layer);
        (&a.middle, &a.middle_inv, &tape.gradients.middle_normed)
    });
    tasks
}

/// Tasks that make the gradient of a matrix `[outputs, inputs]`, some outputs each: `pick` gives a tape's
/// gradient of the outputs, `[rows, outputs]`, and the packed inputs `[rows, inputs]`.
fn push_matrix<'a>(
    isa: Isa,
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
            let mut chain = Chain::Start;
            for tape in tapes {
                let (d_out, inputs) = pick(tape);
                let columns = columns.clone();
                agorai_exact::matmul_at(isa, chain, d_out, outputs, columns, inputs, part)?;
                chain = Chain::Continue;
            }
            Ok(())
        }));
    }
}

/// The task that makes the gradient of a norm's weight: `pick` gives a tape's input, 1 / rms and gradient
/// of the output.
fn push_norm<'a>(
    isa: Isa,
    tasks: &mut Vec<Task<'a>>,
    gradient: &'a mut [f32],
    tapes: &'a [Tape],
    pick: impl Fn(&'a Tape) -> (&'a [f32], &'a [f32], &'a [f32]) + Send + 'a,
) {
    tasks.push(Box::new(move || {
        let width = gradient.len();
        gradient.fill(0.0);
        for tape in tapes {
            let (x, inv, d_out) = pick(tape);
            norm::rmsnorm_backward_weight(isa, x, width, inv, d_out, 0..width, gradient)?;
        }
        Ok(())
    }));
}
