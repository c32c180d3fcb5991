// SPDX-License-Identifier: Apache-2.0
//! The heads of one attention layer: their keys and values, and their computation.

use crate::{config::Heads, error::Result, parallel::ComputeConfig};
use agorai_exact::{
    attention::{Attention, Scratch},
    Operation, PackedMatrix,
};

/// The keys and values of one key head at positions 0, 1, ...
#[derive(Clone, Debug)]
pub struct HeadCache {
    /// `[head_dim, positions]`.
    pub keys: PackedMatrix,
    /// `[positions, head_dim]`.
    pub values: Vec<f32>,
}

impl HeadCache {
    /// Returns an empty cache with room for `positions` positions.
    pub fn new(width: usize, positions: usize) -> Result<Self> {
        let mut values = Vec::new();
        let size = width.checked_mul(positions);
        size.and_then(|size| values.try_reserve_exact(size).ok())
            .ok_or(agorai_exact::Error::OutOfMemory)?;
        Ok(Self {
            keys: PackedMatrix::with_capacity(width, positions)?,
            values,
        })
    }

    /// Appends this head's columns of `keys` and `values`, `[rows, key heads, head_dim]`, at position `offset`; the
    /// cache is truncated to `offset` positions first.
    pub fn append(&mut self, shape: &Heads, head: usize, offset: usize, keys: &[f32], values: &[f32]) -> Result<()> {
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

/// The intermediate results of one query head; the backward pass reads the queries and probabilities.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Its queries, `[rows, head_dim]`.
    pub query: Vec<f32>,
    /// The softmax of its scores, `[rows, keys]`.
    pub probabilities: Vec<f32>,
    out: Vec<f32>,
    scratch: Scratch,
}

/// Copies columns `first` to `first + count` of rows of `width` values into dense rows.
fn gather(from: &[f32], width: usize, first: usize, count: usize, to: &mut Vec<f32>) {
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

/// Computes causal attention of every query head to `cache`, one [`HeadCache`] for each key head; `query` and
/// `attended`: `[rows, query heads, head_dim]`, the first row at position `offset`.
pub fn attend(
    compute: ComputeConfig,
    shape: &Heads,
    offset: usize,
    query: &[f32],
    cache: &[HeadCache],
    heads: &mut Vec<Head>,
    attended: &mut [f32],
) -> Result<()> {
    let rows = query.len() / shape.query_width();
    Operation("attend").at_least("query heads of the cache", shape.query, cache.len() * shape.group())?;
    let operation = operation(shape, rows, offset);
    heads.resize_with(shape.query, Head::default);
    let work = |(index, head): (usize, &mut Head)| {
        let cache = &cache[index / shape.group()];
        gather(
            query,
            shape.query_width(),
            index * shape.width,
            shape.width,
            &mut head.query,
        );
        head.probabilities.resize(rows * operation.keys(), 0.0);
        head.out.resize(head.query.len(), 0.0);
        Ok(operation.forward(
            compute.isa,
            &head.query,
            &cache.keys,
            &cache.values,
            &mut head.probabilities,
            &mut head.out,
            &mut head.scratch,
        )?)
    };
    // Scores and weighted sums: every query with every key, twice.
    let compute = compute.for_work(2 * query.len() * operation.keys());
    compute.run_tasks(heads.iter_mut().enumerate().map(|task| move || work(task)))?;
    for (index, head) in heads.iter().enumerate() {
        let first = index * shape.width;
        scatter(&head.out, shape.width, attended, shape.query_width(), first);
    }
    Ok(())
}

/// Buffers of the backward pass, reused from call to call.
#[derive(Clone, Debug, Default)]
pub struct BackwardScratch {
    key: Vec<f32>,
    out: Vec<f32>,
    d_query: Vec<f32>,
    d_key: Vec<f32>,
    d_value: Vec<f32>,
    scratch: Scratch,
}

/// Computes the gradients of [`attend`] for a whole sequence from position 0: `key` as it was appended, `cache` and
/// `heads` as [`attend`] left them. Query heads that share a key head are added to its gradients in ascending order.
///
/// `d_attended`, `d_query`: `[rows, query heads, head_dim]`; `key`, `d_key`, `d_value`: `[rows, key heads, head_dim]`.
#[allow(clippy::too_many_arguments)]
pub fn attend_backward(
    compute: ComputeConfig,
    shape: &Heads,
    key: &[f32],
    cache: &[HeadCache],
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
    for (index, (cache, group)) in cache.iter().zip(heads.chunks(shape.group())).enumerate() {
        gather(key, shape.key_width(), index * width, width, &mut b.key);
        b.d_key.clear();
        b.d_key.resize(rows * width, 0.0);
        b.d_value.clear();
        b.d_value.resize(rows * width, 0.0);
        b.d_query.resize(rows * width, 0.0);
        for (member, head) in group.iter().enumerate() {
            let first = (index * shape.group() + member) * width;
            gather(d_attended, shape.query_width(), first, width, &mut b.out);
            operation.backward(
                compute.isa,
                &head.query,
                &b.key,
                &cache.values,
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

/// Copies dense rows of `count` values into columns of rows of `width` values, from column `first` on.
fn scatter(from: &[f32], count: usize, to: &mut [f32], width: usize, first: usize) {
    for (row, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(count)) {
        row[first..first + count].copy_from_slice(from);
    }
}
