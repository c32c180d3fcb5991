// SPDX-License-Identifier: Apache-2.0
//! Training on the CPU. A sequence is computed on one thread; parameter gradients and updates are split into tasks,
//! each of which owns its outputs.

use super::{
    heads::{attend_backward, Head, HeadCache},
    rows,
    storage::{Cpu, Matrix, Scratch},
};
use crate::{
    backend::training::{AdamWState, Packing, Terms, TrainingBackend},
    config::{Activation, Heads},
    error::{Error, Result},
};
use agorai_exact::{
    adamw::{self, AdamW},
    embedding, gated, loss,
    matmul::{matmul_transposed_a, Accumulate},
    norm, reduce,
    rope::RopeTable,
    Expected, Isa, Operation,
};
use std::ops::Range;

/// Number of rows of a matrix's gradient that one task computes.
const TASK_ROWS: usize = 128;
/// Number of parameters that one task updates.
const TASK_PARAMETERS: usize = 1 << 16;

type Task<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

impl TrainingBackend for Cpu {
    fn pack(&self, packings: Vec<Packing<'_, Self>>) -> Result<()> {
        self.compute.run_tasks(packings.into_iter().map(|packing| {
            move || {
                let values = slice(Operation("pack"), packing.rows, packing.range)?;
                let Matrix::F32(matrix) = packing.matrix else {
                    return Err(QUANTISED);
                };
                let (n, k) = (values.len() / packing.width.max(1), packing.width);
                match packing.transposed {
                    false => matrix.pack_out_in(n, k, values)?,
                    true => matrix.pack_in_out(n, k, values)?,
                }
                Ok(())
            }
        }))
    }

    fn loss(
        &self,
        vocab: usize,
        targets: &[u32],
        scale: f32,
        logits: &mut Vec<f32>,
        losses: &mut Vec<f32>,
    ) -> Result<()> {
        losses.resize(targets.len(), 0.0);
        let isa = self.compute.isa;
        Ok(loss::cross_entropy_backward(
            isa, logits, vocab, targets, scale, losses,
        )?)
    }

    fn norm_backward(
        &self,
        x: &Vec<f32>,
        weight: &Vec<f32>,
        inv: &Vec<f32>,
        d_out: &Vec<f32>,
        d_x: &mut Vec<f32>,
    ) -> Result<()> {
        d_x.resize(x.len(), 0.0);
        let isa = self.compute.isa;
        Ok(norm::rmsnorm_backward_input(isa, x, weight, inv, d_out, d_x)?)
    }

    fn gate_backward(
        &self,
        activation: Activation,
        gate: &Vec<f32>,
        up: &Vec<f32>,
        d_out: &Vec<f32>,
        d_gate: &mut Vec<f32>,
        d_up: &mut Vec<f32>,
    ) -> Result<()> {
        d_gate.resize(gate.len(), 0.0);
        d_up.resize(up.len(), 0.0);
        let backward = match activation {
            Activation::Silu => gated::swiglu_backward,
            Activation::GeluTanh => gated::geglu_backward,
        };
        Ok(backward(self.compute.isa, gate, up, d_out, d_gate, d_up)?)
    }

    fn rotate_backward(&self, angles: &RopeTable, offset: usize, rows: &mut Vec<f32>, row: usize) -> Result<()> {
        let turn = RopeTable::rotate_inverse;
        rows::rotate(self.compute, turn, angles, offset, rows, row)
    }

    fn attend_backward(
        &self,
        heads: &Heads,
        key: &Vec<f32>,
        cache: &Vec<HeadCache>,
        attention: &Vec<Head>,
        d_out: &Vec<f32>,
        d_query: &mut Vec<f32>,
        d_key: &mut Vec<f32>,
        d_value: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        d_query.resize(d_out.len(), 0.0);
        d_key.resize(key.len(), 0.0);
        d_value.resize(key.len(), 0.0);
        attend_backward(
            self.compute,
            heads,
            key,
            cache,
            attention,
            d_out,
            d_query,
            d_key,
            d_value,
            &mut scratch.backward,
        )
    }

    fn gradients(&self, tensors: Vec<(Range<usize>, Terms<'_, Self>)>, gradient: &mut Vec<f32>) -> Result<()> {
        let isa = self.compute.isa;
        let slices = slices(gradient, tensors.iter().map(|(range, _)| range))?;
        // Small tasks are scheduled last, to balance the load of the threads.
        let (mut tasks, mut small): (Vec<Task<'_>>, Vec<Task<'_>>) = Default::default();
        for (part, (_, terms)) in slices.into_iter().zip(&tensors) {
            match terms {
                Terms::Matrix(terms) => matrix(isa, terms, part, &mut tasks),
                Terms::Norm(terms) => small.push(Box::new(move || {
                    let width = part.len();
                    part.fill(0.0);
                    for (x, inv, d_out) in terms {
                        norm::rmsnorm_backward_weight(isa, x, width, inv, d_out, 0..width, part)?;
                    }
                    Ok(())
                })),
                Terms::Embedding(terms) => small.push(Box::new(move || {
                    part.fill(0.0);
                    for (tokens, d_out) in terms {
                        let width = d_out.len() / tokens.len().max(1);
                        embedding::scatter_add(isa, part, width, tokens, d_out)?;
                    }
                    Ok(())
                })),
            }
        }
        tasks.append(&mut small);
        self.compute.run_tasks(tasks)
    }

    fn clip(&self, ranges: &[Range<usize>], gradient: &Vec<f32>, limit: f32) -> Result<f32> {
        let isa = self.compute.isa;
        let mut squares = vec![0.0; ranges.len()];
        self.compute
            .run_tasks(squares.iter_mut().zip(ranges).map(|(square, range)| {
                move || {
                    let part = slice(Operation("clip"), gradient, range.clone())?;
                    *square = reduce::sum_sq16(isa, part)?;
                    Ok(())
                }
            }))?;
        let norm = adamw::norm_of_squares(isa, &squares)?;
        Ok(adamw::clip_scale(norm, limit)?)
    }

    fn adamw(
        &self,
        tensors: &[(Range<usize>, AdamW)],
        scale: f32,
        gradient: &Vec<f32>,
        state: AdamWState<'_, Vec<f32>>,
    ) -> Result<()> {
        let (isa, step) = (self.compute.isa, state.step);
        let ranges = || tensors.iter().map(|(range, _)| range);
        let values = slices(state.values, ranges())?;
        let moments = slices(state.first, ranges())?
            .into_iter()
            .zip(slices(state.second, ranges())?);
        let mut tasks = Vec::new();
        for ((values, (first, second)), (range, optimiser)) in values.into_iter().zip(moments).zip(tensors) {
            let gradient = slice(Operation("adamw"), gradient, range.clone())?;
            let moments = first
                .chunks_mut(TASK_PARAMETERS)
                .zip(second.chunks_mut(TASK_PARAMETERS));
            let pieces = values.chunks_mut(TASK_PARAMETERS).zip(gradient.chunks(TASK_PARAMETERS));
            for ((values, gradient), (first, second)) in pieces.zip(moments) {
                tasks.push(move || Ok(optimiser.step(isa, step, scale, values, gradient, first, second)?));
            }
        }
        self.compute.run_tasks(tasks)
    }
}

/// Appends tasks that compute the gradient of a matrix `[outputs, inputs]`, several outputs each.
fn matrix<'a>(isa: Isa, terms: &'a [(&'a Vec<f32>, &'a Matrix)], gradient: &'a mut [f32], tasks: &mut Vec<Task<'a>>) {
    let Some((_, inputs)) = terms.first() else {
        return gradient.fill(0.0);
    };
    let width = inputs.out_features().max(1);
    let outputs = gradient.len() / width;
    for (task, part) in gradient.chunks_mut(TASK_ROWS * width).enumerate() {
        let first = task * TASK_ROWS;
        let columns = first..first + part.len() / width;
        tasks.push(Box::new(move || {
            let mut accumulate = Accumulate::Overwrite;
            for (d_out, inputs) in terms {
                let Matrix::F32(inputs) = inputs else {
                    return Err(QUANTISED);
                };
                matmul_transposed_a(isa, accumulate, d_out, outputs, columns.clone(), inputs, part)?;
                accumulate = Accumulate::Add;
            }
            Ok(())
        }));
    }
}

/// Only binary32 matrices can be trained.
const QUANTISED: Error = Error::Spec("a quantised matrix cannot be trained");

/// Returns the values of a tensor.
fn slice(operation: Operation, values: &[f32], range: Range<usize>) -> Result<&[f32]> {
    operation.range_within("parameters", values.len(), &range)?;
    Ok(&values[range])
}

/// Splits `rest` into the slices of ascending ranges.
fn slices<'a, 'b>(
    mut rest: &'a mut [f32],
    ranges: impl Iterator<Item = &'b Range<usize>>,
) -> Result<Vec<&'a mut [f32]>> {
    let (mut end, len) = (0, rest.len());
    let mut slice = |range: &Range<usize>| {
        let skipped = range.start.checked_sub(end)?;
        let (_, from) = std::mem::take(&mut rest).split_at_mut_checked(skipped)?;
        let (slice, after) = from.split_at_mut_checked(range.len())?;
        (rest, end) = (after, range.end.max(range.start));
        Some(slice)
    };
    let slices = ranges.map(|range| {
        slice(range).ok_or_else(|| {
            let expected = Expected::AtLeast(range.end);
            agorai_exact::Error::shape("slices", "parameters", expected, len).into()
        })
    });
    slices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_have_their_ranges_and_ranges_that_do_not_ascend_are_refused() {
        let mut values = [0.0, 1.0, 2.0, 3.0];
        let found = slices(&mut values, [0..1, 2..4].iter()).unwrap();
        assert_eq!(found, [&[0.0][..], &[2.0, 3.0]]);
        for ranges in [[1..2, 0..1], [0..2, 1..3], [0..1, 3..5]] {
            assert!(slices(&mut values, ranges.iter()).is_err(), "{ranges:?}");
        }
    }
}
