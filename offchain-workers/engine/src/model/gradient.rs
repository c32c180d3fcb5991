// SPDX-License-Identifier: Apache-2.0
//! The gradients of all parameters, from the tapes of a batch.
//!
//! The forward pass runs sequence by sequence, the backward pass block by block for all sequences: after each block the
//! gradients of its parameters are computed while their operands are in the CPU cache. The gradient of a parameter is
//! one accumulation along all rows of all sequences in order.

use super::{
    parameters::View,
    tape::{Gradients, Inputs, Tape},
};
use crate::{
    backend::{Terms, TrainingBackend},
    config::{BlockPart, Part},
    data::Example,
    error::Result,
};
use std::ops::Range;

/// The range of a tensor in the parameters, and the operands of its gradient.
type Tensor<'a, B> = (Range<usize>, Terms<'a, B>);

/// Computes the gradient of the sum of the losses times `scale` of one example for each tape, into `gradient` in the
/// layout's order.
pub fn gradient<B: TrainingBackend>(
    backend: &B,
    view: &View<'_, B>,
    tapes: &mut [Tape<B>],
    examples: &[Example],
    scale: f32,
    gradient: &mut B::Rows,
) -> Result<()> {
    let layout = view.layout;
    let pairs = tapes.iter_mut().zip(examples);
    backend.for_each(pairs, |backend, (tape, example)| {
        tape.forward(backend, view, example, scale)
    })?;
    let last = view.layers();
    let tensors = vec![
        (
            layout.range(Part::Norm)?,
            norm(tapes, |tape| (&tape.streams[last], &tape.inv, &tape.d_normed)),
        ),
        (
            layout.range(Part::Head)?,
            matrix(tapes, |tape| (&tape.logits, &tape.packed_normed)),
        ),
    ];
    backend.gradients(tensors, gradient)?;
    for layer in (0..view.layers()).rev() {
        backend.for_each(tapes.iter_mut(), |backend, tape| tape.backward(backend, view, layer))?;
        backend.gradients(block(view, layer, tapes)?, gradient)?;
    }
    let rows = tapes.iter().map(|tape| (&tape.tokens[..], &tape.gradients.input));
    let embedding = Terms::Embedding(rows.collect());
    backend.gradients(vec![(layout.range(Part::Embedding)?, embedding)], gradient)
}

/// Returns the tensors of a block.
fn block<'a, B: TrainingBackend>(view: &View<'_, B>, layer: usize, tapes: &'a [Tape<B>]) -> Result<Vec<Tensor<'a, B>>> {
    type Operands<'a, R, M> = fn(&'a Gradients<R>, &'a Inputs<M>) -> (&'a R, &'a M);
    let matrix =
        |operands: Operands<'a, B::Rows, B::Matrix>| matrix(tapes, |tape| operands(&tape.gradients, &tape.inputs));
    let terms = [
        (
            BlockPart::AttentionNorm,
            norm(tapes, |tape| {
                let (a, g) = (tape.activations(layer), &tape.gradients);
                (&tape.streams[layer], &a.input_inv, &g.input_normed)
            }),
        ),
        (BlockPart::Query, matrix(|g, i| (&g.query, &i.input_normed))),
        (BlockPart::Key, matrix(|g, i| (&g.key, &i.input_normed))),
        (BlockPart::Value, matrix(|g, i| (&g.value, &i.input_normed))),
        (BlockPart::Output, matrix(|g, i| (&g.middle, &i.attended))),
        (
            BlockPart::FfNorm,
            norm(tapes, |tape| {
                let (a, g) = (tape.activations(layer), &tape.gradients);
                (&a.middle, &a.middle_inv, &g.middle_normed)
            }),
        ),
        (BlockPart::Gate, matrix(|g, i| (&g.gate, &i.middle_normed))),
        (BlockPart::Up, matrix(|g, i| (&g.up, &i.middle_normed))),
        (BlockPart::Down, matrix(|g, i| (&g.out, &i.gated))),
    ];
    let tensor = |(part, terms)| Ok((view.layout.range(Part::Block(layer, part))?, terms));
    terms.into_iter().map(tensor).collect()
}

/// Returns the operands of a matrix's gradient: `operands` returns a tape's gradient of the outputs, and its packed
/// inputs.
fn matrix<'a, B: TrainingBackend>(
    tapes: &'a [Tape<B>],
    operands: impl Fn(&'a Tape<B>) -> (&'a B::Rows, &'a B::Matrix),
) -> Terms<'a, B> {
    Terms::Matrix(tapes.iter().map(operands).collect())
}

/// Returns the operands of the gradient of a norm's weight: `operands` returns a tape's input, 1 / rms and gradient of
/// the output.
fn norm<'a, B: TrainingBackend>(
    tapes: &'a [Tape<B>],
    operands: impl Fn(&'a Tape<B>) -> (&'a B::Rows, &'a B::Rows, &'a B::Rows),
) -> Terms<'a, B> {
    Terms::Norm(tapes.iter().map(operands).collect())
}
