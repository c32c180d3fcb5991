// SPDX-License-Identifier: Apache-2.0
//! A sequence that is read and continued, with a memory of its keys and values.
//!
//! Feeding tokens one by one or all at once gives the same bits, in the results and in the trace.

use super::{
    block::{Activations, Place},
    Decoder,
};
use crate::{
    backend::{Backend, Each},
    files::ModelConfig,
    trace::{row_bytes, row_leaves, Recorder},
    Error, Result,
};
use sp_core::H256;
use std::{borrow::Cow, ops::Range};

/// Rows that are computed together in a long feed: bounds the memory of activations.
pub const TOGETHER: usize = 192;

/// What a block computes at a position, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Rotated queries.
    Query,
    /// Rotated keys.
    Key,
    /// Values.
    Value,
    /// Attention's weighted values.
    Attended,
    /// The residual stream after attention.
    Middle,
    /// activation(gate) * up.
    Gated,
    /// The residual stream after the block.
    Out,
}

impl Operation {
    /// What a block at a position hands on, and its leaf covers: keys and values to the positions that come, the
    /// stream to the next block. The other operations follow from these of other leaves.
    pub const HANDED_ON: [Operation; 3] = [Operation::Key, Operation::Value, Operation::Out];

    /// All operations, in order.
    pub const ALL: [Operation; 7] = [
        Operation::Query,
        Operation::Key,
        Operation::Value,
        Operation::Attended,
        Operation::Middle,
        Operation::Gated,
        Operation::Out,
    ];

    /// Which elements of all operations' rows are this operation's.
    pub fn elements(self, config: &ModelConfig) -> Range<usize> {
        let width = |operation: Operation| match operation {
            Operation::Query | Operation::Attended => config.heads * config.head_dim,
            Operation::Key | Operation::Value => config.kv_heads * config.head_dim,
            Operation::Middle | Operation::Out => config.dim,
            Operation::Gated => config.ff,
        };
        let before = Operation::ALL.iter().take_while(|other| **other != self);
        let first: usize = before.map(|other| width(*other)).sum();
        first..first + width(self)
    }

    /// What is handed on, out of the bytes of all operations' rows; a leaf that covers something else does not
    /// belong to them. `None` unless they are as many as the operations compute.
    pub fn handed_on(config: &ModelConfig, within: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        if within.len() != 4 * Operation::Out.elements(config).end {
            return None;
        }
        for operation in Self::HANDED_ON {
            let elements = operation.elements(config);
            bytes.extend_from_slice(within.get(4 * elements.start..4 * elements.end)?);
        }
        Some(bytes)
    }
}

/// A sequence being read by a decoder.
pub struct Session<'a, B: Backend> {
    decoder: &'a Decoder<B>,
    angles: B::Angles,
    local_angles: Option<B::Angles>,
    memory: Vec<B::Memory>,
    positions: usize,
    read: usize,
    /// What the last feed read.
    shares: Vec<Share<B>>,
    /// Rows of those shares.
    rows: usize,
    part: B::Rows,
    /// What the head computes.
    head: Activations<B>,
    logits: B::Rows,
}

/// Rows of a feed that are computed apart from the others wherever they do not depend on each other.
struct Share<B: Backend> {
    /// The position of the first one.
    offset: usize,
    rows: usize,
    activations: Activations<B>,
    /// The residual stream before the block that computes, or after the last one.
    hidden: B::Rows,
    /// The same after the block that computes.
    out: B::Rows,
    /// The leaves of the block that computes.
    leaves: Vec<H256>,
}

impl<B: Backend> Default for Share<B> {
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

impl<B: Backend> Share<B> {
    /// The rows of some operations of the block that has just computed.
    fn rows_of<const N: usize>(
        &self,
        backend: &B,
        operations: [Operation; N],
        each: impl FnOnce(&[&[f32]; N]),
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
        each(&values.each_ref().map(|values| &values[..]));
        Ok(())
    }
}

impl<'a, B: Backend> Session<'a, B> {
    /// An empty sequence of at most `positions` tokens, no more than the model's context.
    pub(super) fn new(decoder: &'a Decoder<B>, positions: usize) -> Result<Self> {
        let backend = &decoder.backend;
        let positions = positions.min(decoder.context());
        let angles = backend.angles(&decoder.frequencies, positions)?;
        let local_angles = match decoder.blocks.iter().any(|block| block.local) {
            true => Some(backend.angles(&decoder.local_frequencies, positions)?),
            false => None,
        };
        let memory = decoder
            .blocks
            .iter()
            .map(|block| backend.memory(&decoder.heads(block.local), positions))
            .collect::<Result<_>>()?;
        Ok(Self {
            decoder,
            angles,
            local_angles,
            memory,
            positions,
            read: 0,
            shares: Vec::new(),
            rows: 0,
            part: Default::default(),
            head: Activations::default(),
            logits: Default::default(),
        })
    }

    /// Number of tokens read so far.
    pub fn len(&self) -> usize {
        self.read
    }

    /// Whether no token has been read.
    pub fn is_empty(&self) -> bool {
        self.read == 0
    }

    /// Reads at most [`TOGETHER`] tokens. The recorder, if any, gets a leaf for each position and
    /// block, positions first, of what is [handed on](Operation::HANDED_ON).
    pub fn feed(&mut self, tokens: &[u32], mut recorder: Option<&mut Recorder>) -> Result<()> {
        let (decoder, offset, rows) = (self.decoder, self.read, tokens.len());
        if rows == 0 || rows > TOGETHER {
            return Err(Error::Spec("number of tokens read at once"));
        }
        if offset + rows > self.positions {
            return Err(Error::Spec("more tokens than the session's positions"));
        }
        let (backend, config) = (&decoder.backend, &decoder.config);
        // What the last feed read is gone, even if this one fails.
        self.rows = 0;
        let apart = backend.rows_apart(rows).max(1);
        self.shares.resize_with(rows.div_ceil(apart), Share::default);
        for (index, share) in self.shares.iter_mut().enumerate() {
            let first = index * apart;
            (share.offset, share.rows) = (offset + first, apart.min(rows - first));
        }
        let parts = self.shares.iter_mut().zip(tokens.chunks(apart));
        backend.each(parts, |backend, (share, tokens)| {
            let (table, scale) = (&decoder.embedding, config.embedding_scale);
            backend.embed(table, tokens, scale, &mut share.hidden)
        })?;
        let stride = decoder.blocks.len();
        let first = recorder
            .as_deref_mut()
            .map_or(0, |recorder| recorder.reserve(rows * stride));
        for (layer, (block, memory)) in decoder.blocks.iter().zip(&mut self.memory).enumerate() {
            let angles = match &self.local_angles {
                Some(angles) if block.local => angles,
                _ => &self.angles,
            };
            let place = |offset| Place {
                heads: decoder.heads(block.local),
                offset,
                angles,
            };
            let (activation, eps) = (config.activation, config.norm_eps);
            backend.each(self.shares.iter_mut(), |backend, share| {
                let place = place(share.offset);
                block.project(backend, &place, eps, &share.hidden, &mut share.activations)
            })?;
            for share in &self.shares {
                block.remember(backend, &place(share.offset), &share.activations, memory)?;
            }
            let (memory, record) = (&*memory, recorder.is_some());
            backend.each(self.shares.iter_mut(), |backend, share| {
                let (place, a) = (place(share.offset), &mut share.activations);
                block.attend(backend, &place, activation, eps, memory, &share.hidden, a)?;
                block.finish(backend, eps, a, &mut share.out)?;
                if record {
                    let mut leaves = std::mem::take(&mut share.leaves);
                    share.rows_of(backend, Operation::HANDED_ON, |values| {
                        row_leaves(values, share.rows, &mut leaves);
                    })?;
                    share.leaves = leaves;
                }
                Ok(())
            })?;
            for share in &mut self.shares {
                if let Some(recorder) = recorder.as_deref_mut() {
                    let place = first + (share.offset - offset) * stride + layer;
                    recorder.fill(place, stride, &share.leaves);
                    if let Some((row, kept)) = recorder.kept_among(place, stride, share.rows) {
                        share.rows_of(backend, Operation::ALL, |values| {
                            row_bytes(values, share.rows, row, &mut kept.within);
                        })?;
                        let rows = Operation::handed_on(config, &kept.within);
                        kept.rows = rows.unwrap_or_default();
                    }
                }
                std::mem::swap(&mut share.hidden, &mut share.out);
            }
        }
        self.rows = rows;
        self.read += rows;
        Ok(())
    }

    /// The logits `[rows, vocab]` after some of the last feed's tokens.
    pub fn logits(&mut self, rows: Range<usize>) -> Result<Cow<'_, [f32]>> {
        self.pick(rows)?;
        let (backend, head) = (&self.decoder.backend, self.decoder.head());
        self.head.logits(backend, &self.part, &head, &mut self.logits)?;
        backend.values(&self.logits)
    }

    /// The same logits in parts of [`COLUMNS`](crate::backend::COLUMNS) tokens, none of which are kept: `each`
    /// takes the first token of a part and `[rows, tokens of the part]`, in any order and on any thread.
    pub fn each_logits(&mut self, rows: Range<usize>, each: &Each<'_>) -> Result<()> {
        self.pick(rows)?;
        let (backend, head) = (&self.decoder.backend, self.decoder.head());
        self.head.each_logits(backend, &self.part, &head, each)
    }

    /// Puts some rows of the residual stream after the last block into `part`.
    fn pick(&mut self, rows: Range<usize>) -> Result<()> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(Error::Spec("logits of tokens that were not read"));
        }
        let (backend, dim) = (&self.decoder.backend, self.decoder.config.dim);
        backend.resize(&mut self.part, 0)?;
        let mut before = 0;
        for share in &self.shares {
            let within = |row: usize| row.clamp(before, before + share.rows) - before;
            let values = within(rows.start) * dim..within(rows.end) * dim;
            backend.append(&share.hidden, values, &mut self.part)?;
            before += share.rows;
        }
        Ok(())
    }
}
