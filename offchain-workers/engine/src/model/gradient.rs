// SPDX-License-Identifier: Apache-2.0
//! The gradients of all parameters, from the tapes of a batch.
//!
//! The sequences go through the model each on its own, and come back together, block by block: after each,
//! the gradients of its parameters are made, while what they are made of is still near. The gradient of a
//! parameter is one chain over all rows of all sequences in order.

use super::{
    tape::{Gradients, Inputs, Tape},
    View,
};
use crate::{
    backend::{Terms, TrainingBackend},
    data::Example,
    weights::Block,
    Result,
};
use std::ops::Range;

/// A place in the parameters, and what its gradient is made of.
type Tensor<'a, B> = (Range<usize>, Terms<'a, B>);

/// The gradient of the sum of the losses times `scale` of one example for each tape, into `gradient` in the
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
    backend.each(pairs, |backend, (tape, example)| {
        tape.forward(backend, view, example, scale)
    })?;
    let last = view.layers();
    let tensors = vec![
        norm(&layout.norm, tapes, |tape| {
            (&tape.streams[last], &tape.inv, &tape.d_normed)
        }),
        matrix(&layout.head, tapes, |tape| (&tape.logits, &tape.packed_normed)),
    ];
    backend.gradients(tensors, gradient)?;
    for (layer, places) in layout.blocks.iter().enumerate().rev() {
        backend.each(tapes.iter_mut(), |backend, tape| tape.backward(backend, view, layer))?;
        backend.gradients(block(places, layer, tapes), gradient)?;
    }
    let rows = tapes.iter().map(|tape| (&tape.tokens[..], &tape.gradients.input));
    let embedding = Terms::Embedding(rows.collect());
    backend.gradients(vec![(layout.embedding.clone(), embedding)], gradient)
}

/// The tensors of a block.
fn block<'a, B: TrainingBackend>(places: &Block, layer: usize, tapes: &'a [Tape<B>]) -> Vec<Tensor<'a, B>> {
    type Pick<'a, R, M> = fn(&'a Gradients<R>, &'a Inputs<M>) -> (&'a R, &'a M);
    let matrix =
        |place, pick: Pick<'a, B::Rows, B::Matrix>| matrix(place, tapes, |tape| pick(&tape.gradients, &tape.inputs));
    vec![
        norm(&places.attention_norm, tapes, |tape| {
            let (a, g) = (tape.activations(layer), &tape.gradients);
            (&tape.streams[layer], &a.input_inv, &g.input_normed)
        }),
        matrix(&places.query, |g, i| (&g.query, &i.input_normed)),
        matrix(&places.key, |g, i| (&g.key, &i.input_normed)),
        matrix(&places.value, |g, i| (&g.value, &i.input_normed)),
        matrix(&places.output, |g, i| (&g.middle, &i.attended)),
        norm(&places.ff_norm, tapes, |tape| {
            let (a, g) = (tape.activations(layer), &tape.gradients);
            (&a.middle, &a.middle_inv, &g.middle_normed)
        }),
        matrix(&places.gate, |g, i| (&g.gate, &i.middle_normed)),
        matrix(&places.up, |g, i| (&g.up, &i.middle_normed)),
        matrix(&places.down, |g, i| (&g.out, &i.gated)),
    ]
}

/// A matrix: `pick` gives a tape's gradient of its outputs, and its packed inputs.
fn matrix<'a, B: TrainingBackend>(
    place: &Range<usize>,
    tapes: &'a [Tape<B>],
    pick: impl Fn(&'a Tape<B>) -> (&'a B::Rows, &'a B::Matrix),
) -> Tensor<'a, B> {
    let terms = tapes.iter().map(pick).collect();
    (place.clone(), Terms::Matrix(terms))
}

/// A norm's weight: `pick` gives a tape's input, 1 / rms and gradient of the output.
fn norm<'a, B: TrainingBackend>(
    place: &Range<usize>,
    tapes: &'a [Tape<B>],
    pick: impl Fn(&'a Tape<B>) -> (&'a B::Rows, &'a B::Rows, &'a B::Rows),
) -> Tensor<'a, B> {
    let terms = tapes.iter().map(pick).collect();
    (place.clone(), Terms::Norm(terms))
}
