// SPDX-License-Identifier: Apache-2.0
//! A sequence of tokens with its cache of keys and values.
//!
//! Feeding tokens one by one or in batches yields the same bits, in the logits and in the trace.

use super::{
    block::{Activations, Positions},
    load::Decoder,
    operation::Operation,
};
use crate::{
    backend::{Backend, OnChunk},
    error::{Error, Result},
    trace::{row_bytes, row_leaves, Recorder},
};
use sp_core::H256;
use std::{borrow::Cow, ops::Range};

/// Maximum number of tokens of one [`Session::feed`]; bounds the memory of activations.
pub const MAX_BATCH_TOKENS: usize = 192;

/// A sequence of tokens that a decoder reads.
pub struct Session<'a, B: Backend> {
    decoder: &'a Decoder<B>,
    angles: B::Angles,
    local_angles: Option<B::Angles>,
    /// One cache for each block.
    caches: Vec<B::KvCache>,
    /// Maximum number of tokens.
    positions: usize,
    /// Number of tokens read so far.
    read: usize,
    /// The rows of the last feed.
    groups: Vec<RowGroup<B>>,
    /// Number of rows of these groups.
    rows: usize,
    /// The rows of the residual stream from which logits are computed.
    selected: B::Rows,
    /// The activations of the output head.
    head: Activations<B>,
    logits: B::Rows,
}

/// Rows of a feed that one task computes, except for what attention reads of other rows.
struct RowGroup<B: Backend> {
    /// The position of the first row.
    offset: usize,
    rows: usize,
    activations: Activations<B>,
    /// The residual stream before the current block, or after the last one, `[rows, dim]`.
    hidden: B::Rows,
    /// The residual stream after the current block, `[rows, dim]`.
    out: B::Rows,
    /// The leaves of the current block, `[rows]`.
    leaves: Vec<H256>,
}

impl<B: Backend> Default for RowGroup<B> {
    fn default() -> Self {
        Self {
            offset: 0,
            rows: 0,
            activations: Activations::default(),
            hidden: B::Rows::default(),
            out: B::Rows::default(),
            leaves: Vec::new(),
        }
    }
}

impl<B: Backend> RowGroup<B> {
    /// Passes the rows of some operations of the current block to `read`.
    fn with_rows<const N: usize>(
        &self,
        backend: &B,
        operations: [Operation; N],
        read: impl FnOnce(&[&[f32]; N]),
    ) -> Result<()> {
        let a = &self.activations;
        let mut values = [(); N].map(|()| Cow::default());
        for (to, operation) in values.iter_mut().zip(operations) {
            *to = backend.values(match operation {
                Operation::Query => &a.query,
                Operation::Key => &a.key,
                Operation::Value => &a.value,
                Operation::Attended => &a.attended,
                Operation::Middle => &a.middle,
                Operation::Gated => &a.gated,
                Operation::Out => &self.out,
            })?;
        }
        read(&values.each_ref().map(|values| &values[..]));
        Ok(())
    }
}

impl<B: Backend> Decoder<B> {
    /// Returns an empty sequence of at most `positions` tokens, or of the model's context if that is shorter.
    pub fn session(&self, positions: usize) -> Result<Session<'_, B>> {
        Session::new(self, positions)
    }
}

impl<'a, B: Backend> Session<'a, B> {
    fn new(decoder: &'a Decoder<B>, positions: usize) -> Result<Self> {
        let backend = &decoder.backend;
        let positions = positions.min(decoder.context());
        let angles = backend.angles(&decoder.frequencies, positions)?;
        let local_angles = match decoder.blocks.iter().any(|block| block.local) {
            true => Some(backend.angles(&decoder.local_frequencies, positions)?),
            false => None,
        };
        let caches = decoder
            .blocks
            .iter()
            .map(|block| backend.kv_cache(&decoder.config.attention_heads(block.local), positions))
            .collect::<Result<_>>()?;
        Ok(Self {
            decoder,
            angles,
            local_angles,
            caches,
            positions,
            read: 0,
            groups: Vec::new(),
            rows: 0,
            selected: Default::default(),
            head: Activations::default(),
            logits: Default::default(),
        })
    }

    /// Returns the number of tokens read so far.
    pub fn len(&self) -> usize {
        self.read
    }

    /// Returns whether no token has been read.
    pub fn is_empty(&self) -> bool {
        self.read == 0
    }

    /// Reads 1 to [`MAX_BATCH_TOKENS`] tokens. The recorder, if any, receives a leaf of the
    /// [outputs](Operation::OUTPUTS) for each position and block: all blocks of the first position, then those of the
    /// next one.
    ///
    /// Errors: no or too many tokens, no room for them, a token outside the vocabulary.
    pub fn feed(&mut self, tokens: &[u32], mut recorder: Option<&mut Recorder>) -> Result<()> {
        let (decoder, offset, rows) = (self.decoder, self.read, tokens.len());
        if rows == 0 || rows > MAX_BATCH_TOKENS {
            return Err(Error::Spec("the number of tokens of a feed is out of bounds"));
        }
        if offset + rows > self.positions {
            return Err(Error::Spec("the tokens exceed the positions of the session"));
        }
        let (backend, config) = (&decoder.backend, &decoder.config);
        // The rows of the last feed are dropped, even if this one fails.
        self.rows = 0;
        let group_rows = backend.rows_per_task(rows).max(1);
        self.groups.resize_with(rows.div_ceil(group_rows), RowGroup::default);
        for (index, group) in self.groups.iter_mut().enumerate() {
            let first = index * group_rows;
            (group.offset, group.rows) = (offset + first, group_rows.min(rows - first));
        }
        let parts = self.groups.iter_mut().zip(tokens.chunks(group_rows));
        backend.for_each(parts, |backend, (group, tokens)| {
            let (table, scale) = (&decoder.embedding, config.embedding_scale);
            backend.embed(table, tokens, scale, &mut group.hidden)
        })?;
        let stride = decoder.blocks.len();
        let first = recorder
            .as_deref_mut()
            .map_or(0, |recorder| recorder.reserve(rows * stride));
        for (layer, (block, cache)) in decoder.blocks.iter().zip(&mut self.caches).enumerate() {
            let angles = match &self.local_angles {
                Some(angles) if block.local => angles,
                _ => &self.angles,
            };
            let positions = |offset| Positions {
                heads: config.attention_heads(block.local),
                offset,
                angles,
            };
            let (activation, eps) = (config.activation, config.norm_eps);
            backend.for_each(self.groups.iter_mut(), |backend, group| {
                let positions = positions(group.offset);
                block.project(backend, &positions, eps, &group.hidden, &mut group.activations)
            })?;
            for group in &self.groups {
                block.append_kv(backend, &positions(group.offset), &group.activations, cache)?;
            }
            let (cache, record) = (&*cache, recorder.is_some());
            backend.for_each(self.groups.iter_mut(), |backend, group| {
                let (positions, a) = (positions(group.offset), &mut group.activations);
                block.attend(backend, &positions, activation, eps, cache, &group.hidden, a)?;
                block.finish(backend, eps, a, &mut group.out)?;
                if record {
                    let mut leaves = std::mem::take(&mut group.leaves);
                    group.with_rows(backend, Operation::OUTPUTS, |values| {
                        row_leaves(values, group.rows, &mut leaves);
                    })?;
                    group.leaves = leaves;
                }
                Ok(())
            })?;
            for group in &mut self.groups {
                if let Some(recorder) = recorder.as_deref_mut() {
                    let leaf = first + (group.offset - offset) * stride + layer;
                    recorder.fill(leaf, stride, &group.leaves);
                    if let Some((row, retained)) = recorder.retained_among(leaf, stride, group.rows) {
                        group.with_rows(backend, Operation::ALL, |values| {
                            row_bytes(values, group.rows, row, &mut retained.operations);
                        })?;
                        let rows = Operation::outputs(config, &retained.operations);
                        retained.rows = rows.unwrap_or_default();
                    }
                }
                std::mem::swap(&mut group.hidden, &mut group.out);
            }
        }
        self.rows = rows;
        self.read += rows;
        Ok(())
    }

    /// Returns the logits `[rows, vocab]` after some tokens of the last feed, counted from its first one.
    pub fn logits(&mut self, rows: Range<usize>) -> Result<Cow<'_, [f32]>> {
        self.select(rows)?;
        let (backend, head) = (&self.decoder.backend, self.decoder.head());
        self.head.logits(backend, &self.selected, &head, &mut self.logits)?;
        backend.values(&self.logits)
    }

    /// Computes the same logits in chunks of [`CHUNK`](crate::backend::CHUNK) tokens and never materialises them.
    /// `on_chunk` receives the first token of a chunk and its logits `[rows, tokens of the chunk]`, in any order and on
    /// any thread.
    pub fn logits_in_chunks(&mut self, rows: Range<usize>, on_chunk: &OnChunk<'_>) -> Result<()> {
        self.select(rows)?;
        let (backend, head) = (&self.decoder.backend, self.decoder.head());
        self.head.logits_in_chunks(backend, &self.selected, &head, on_chunk)
    }

    /// Copies some rows of the residual stream after the last block to `selected`.
    fn select(&mut self, rows: Range<usize>) -> Result<()> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(Error::Spec("the logits are not those of the last feed"));
        }
        let (backend, dim) = (&self.decoder.backend, self.decoder.config.dim);
        backend.resize(&mut self.selected, 0)?;
        let mut before = 0;
        for group in &self.groups {
            let within = |row: usize| row.clamp(before, before + group.rows) - before;
            let values = within(rows.start) * dim..within(rows.end) * dim;
            backend.append(&group.hidden, values, &mut self.selected)?;
            before += group.rows;
        }
        Ok(())
    }
}
