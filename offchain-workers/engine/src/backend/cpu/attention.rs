// SPDX-License-Identifier: Apache-2.0
//! Attention of all heads of one block over the keys and values of a sequence.

use crate::{backend::Heads, parallel::Means, Result};
use agorai_exact::{
    attention::{Attention, Scratch},
    PackedMatrix,
};

/// Keys and values of one key head at positions 0, 1, ...
#[derive(Clone, Debug)]
pub struct Memory {
    /// A column for each position.
    pub keys: PackedMatrix,
    /// A row of `head` values for each position.
    pub values: Vec<f32>,
}

impl Memory {
    /// Of an empty sequence of at most so many positions.
    pub fn new(width: usize, positions: usize) -> Result<Self> {
        let mut values = Vec::new();
        let most = width.checked_mul(positions);
        most.and_then(|most| values.try_reserve_exact(most).ok())
            .ok_or(agorai_exact::Error::TooLarge)?;
        Ok(Self {
            keys: PackedMatrix::with_room(width, positions)?,
            values,
        })
    }

    /// Puts this head's part of rows `[rows, kv]` at positions from `offset` on, in place of what is there.
    pub fn extend(&mut self, shape: &Heads, head: usize, offset: usize, keys: &[f32], values: &[f32]) -> Result<()> {
        let (width, first) = (shape.width, head * shape.width);
        self.keys.truncate(offset);
        self.values.truncate(offset.saturating_mul(width));
        self.keys.push_columns(keys, shape.key_width(), first)?;
        for value in values.chunks_exact(shape.key_width()) {
            self.values.extend_from_slice(&value[first..first + width]);
        }
        Ok(())
    }
}

/// What one query head computes; the backward pass needs the probabilities.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Its queries, `[rows, head]`.
    pub query: Vec<f32>,
    /// Its probabilities, `[rows, keys]`.
    pub probabilities: Vec<f32>,
    out: Vec<f32>,
    scratch: Scratch,
}

/// Copies columns of rows of `width` values into dense rows.
fn columns(from: &[f32], width: usize, first: usize, count: usize, to: &mut Vec<f32>) {
    to.clear();
    for row in from.chunks_exact(width) {
        to.extend_from_slice(&row[first..first + count]);
    }
}

fn operation(shape: &Heads, rows: usize, offset: usize) -> Attention {
    Attention {
        queries: rows,
        offset,
        width: shape.width,
        scale: shape.scale,
        window: shape.window,
    }
}

/// Attends to the memory, one [`Memory`] for each key head: `query` and `attended` `[rows, heads, width]`, the
/// first row at position `offset`.
pub fn attend(
    means: Means,
    shape: &Heads,
    offset: usize,
    query: &[f32],
    memory: &[Memory],
    heads: &mut Vec<Head>,
    attended: &mut [f32],
) -> Result<()> {
    let rows = query.len() / shape.query_width();
    if memory.len() * shape.group() < shape.query {
        return Err(agorai_exact::Error::Shape.into());
    }
    let operation = operation(shape, rows, offset);
    heads.resize_with(shape.query, Head::default);
    let work = |(index, head): (usize, &mut Head)| {
        let memory = &memory[index / shape.group()];
        columns(
            query,
            shape.query_width(),
            index * shape.width,
            shape.width,
            &mut head.query,
        );
        head.probabilities.resize(rows * operation.keys(), 0.0);
        head.out.resize(head.query.len(), 0.0);
        Ok(operation.forward(
            means.isa,
            &head.query,
            &memory.keys,
            &memory.values,
            &mut head.probabilities,
            &mut head.out,
            &mut head.scratch,
        )?)
    };
    // Scores and weighted values: every query with every key, twice.
    let means = means.for_work(2 * query.len() * operation.keys());
    means.run(heads.iter_mut().enumerate().map(|task| move || work(task)))?;
    for (index, head) in heads.iter().enumerate() {
        let first = index * shape.width;
        scatter(&head.out, shape.width, attended, shape.query_width(), first);
    }
    Ok(())
}

/// Buffers of the backward pass, used again from call to call.
#[derive(Clone, Debug, Default)]
pub struct BackwardScratch {
    key: Vec<f32>,
    out: Vec<f32>,
    d_query: Vec<f32>,
    d_key: Vec<f32>,
    d_value: Vec<f32>,
    scratch: Scratch,
}

/// The gradients of [`attend`] for a whole sequence from position 0: `key` as it was given, `memory`
/// and `heads` as it left them, `d_attended` `[rows, dim]`; writes `d_query` `[rows, dim]`, `d_key` and
/// `d_value` `[rows, kv]`. Heads that share a key head add to its gradient in ascending order.
#[allow(clippy::too_many_arguments)]
pub fn attend_backward(
    means: Means,
    shape: &Heads,
    key: &[f32],
    memory: &[Memory],
    heads: &[Head],
    d_attended: &[f32],
    d_query: &mut [f32],
    d_key: &mut [f32],
    d_value: &mut [f32],
    b: &mut BackwardScratch,
) -> Result<()> {
    let rows = d_attended.len() / shape.query_width();
    let operation = operation(shape, rows, 0);
    let width = shape.width;
    for (index, (memory, group)) in memory.iter().zip(heads.chunks(shape.group())).enumerate() {
        columns(key, shape.key_width(), index * width, width, &mut b.key);
        b.d_key.clear();
        b.d_key.resize(rows * width, 0.0);
        b.d_value.clear();
        b.d_value.resize(rows * width, 0.0);
        b.d_query.resize(rows * width, 0.0);
        for (member, head) in group.iter().enumerate() {
            let first = (index * shape.group() + member) * width;
            columns(d_attended, shape.query_width(), first, width, &mut b.out);
            operation.backward(
                means.isa,
                &head.query,
                &b.key,
                &memory.values,
                &head.probabilities,
                &b.out,
                &mut b.d_query,
                &mut b.d_key,
                &mut b.d_value,
                &mut b.scratch,
            )?;
            scatter(&b.d_query, width, d_query, shape.query_width(), first);
        }
        scatter(&b.d_key, width, d_key, shape.key_width(), index * width);
        scatter(&b.d_value, width, d_value, shape.key_width(), index * width);
    }
    Ok(())
}

/// Copies dense rows into columns of rows of `width` values.
fn scatter(from: &[f32], count: usize, to: &mut [f32], width: usize, first: usize) {
    for (row, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(count)) {
        row[first..first + count].copy_from_slice(from);
    }
}
