// SPDX-License-Identifier: Apache-2.0
//! A sequence that is read and continued, with a memory of its keys and values.
//!
//! Feeding tokens one by one or all at once gives the same bits, in the results and in the trace.

use super::{
    block::{Activations, Head, Place},
    Decoder,
};
use crate::{
    backend::{Backend, Each},
    files::ModelConfig,
    trace::Recorder,
    Error, Result,
};
use std::{borrow::Cow, ops::Range};

/// Rows that are computed together in a long feed: bounds the memory of activations.
pub const TOGETHER: usize = 128;

/// What a block computes at a position, in the order of a leaf's rows.
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
    /// All operations of a leaf, in order.
    pub const ALL: [Operation; 7] = [
        Operation::Query,
        Operation::Key,
        Operation::Value,
        Operation::Attended,
        Operation::Middle,
        Operation::Gated,
        Operation::Out,
    ];

    /// The elements of a leaf that are this operation's.
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
}

/// A sequence being read by a decoder.
pub struct Session<'a, B: Backend> {
    decoder: &'a Decoder<B>,
    angles: B::Angles,
    local_angles: Option<B::Angles>,
    memory: Vec<B::Memory>,
    activations: Activations<B>,
    positions: usize,
    read: usize,
    /// The residual stream after the last block, of the last rows read.
    hidden: B::Rows,
    /// The same after the block that computes.
    out: B::Rows,
    /// How many rows `hidden` holds.
    rows: usize,
    part: B::Rows,
    logits: B::Rows,
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
            .map(|block| backend.memory(&decoder.heads(block.local)))
            .collect::<Result<_>>()?;
        Ok(Self {
            decoder,
            angles,
            local_angles,
            memory,
            activations: Activations::default(),
            positions,
            read: 0,
            hidden: Default::default(),
            out: Default::default(),
            rows: 0,
            part: Default::default(),
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
    /// block, positions first: the rows of every [`Operation`].
    pub fn feed(&mut self, tokens: &[u32], mut recorder: Option<&mut Recorder>) -> Result<()> {
        let (decoder, offset, rows) = (self.decoder, self.read, tokens.len());
        if rows == 0 || rows > TOGETHER {
            return Err(Error::Spec("number of tokens read at once"));
        }
        if offset + rows > self.positions {
            return Err(Error::Spec("more tokens than the session's positions"));
        }
        let (backend, config) = (&decoder.backend, &decoder.config);
        let a = &mut self.activations;
        // What the last feed read is gone, even if this one fails.
        self.rows = 0;
        backend.embed(
            &decoder.embedding,
            tokens,
            config.embedding_scale,
            &mut self.hidden,
        )?;
        let stride = decoder.blocks.len();
        let first = recorder
            .as_deref_mut()
            .map_or(0, |recorder| recorder.reserve(rows * stride));
        for (layer, (block, memory)) in decoder.blocks.iter().zip(&mut self.memory).enumerate() {
            let angles = match &self.local_angles {
                Some(angles) if block.local => angles,
                _ => &self.angles,
            };
            let place = Place {
                heads: decoder.heads(block.local),
                offset,
                angles,
            };
            block.run(
                backend,
                &place,
                config.activation,
                config.norm_eps,
                memory,
                &self.hidden,
                a,
                &mut self.out,
            )?;
            if let Some(recorder) = recorder.as_deref_mut() {
                let operations = [
                    &a.query,
                    &a.key,
                    &a.value,
                    &a.attended,
                    &a.middle,
                    &a.gated,
                    &self.out,
                ];
                let mut values: [Cow<'_, [f32]>; 7] = Default::default();
                for (to, rows) in values.iter_mut().zip(operations) {
                    *to = backend.values(rows)?;
                }
                recorder.rows(
                    first + layer,
                    stride,
                    rows,
                    &values.each_ref().map(|v| &v[..]),
                );
            }
            std::mem::swap(&mut self.hidden, &mut self.out);
        }
        self.rows = rows;
        self.read += rows;
        Ok(())
    }

    /// The logits `[rows, vocab]` after some of the last feed's tokens.
    pub fn logits(&mut self, rows: Range<usize>) -> Result<Cow<'_, [f32]>> {
        let (backend, head) = self.pick(rows)?;
        self.activations
            .logits(backend, &self.part, &head, &mut self.logits)?;
        backend.values(&self.logits)
    }

    /// The same logits in parts of [`COLUMNS`](crate::backend::COLUMNS) tokens, none of which are kept: `each`
    /// takes the first token of a part and `[rows, tokens of the part]`, in any order and on any thread.
    pub fn each_logits(&mut self, rows: Range<usize>, each: &Each<'_>) -> Result<()> {
        let (backend, head) = self.pick(rows)?;
        self.activations
            .each_logits(backend, &self.part, &head, each)
    }

    /// Puts some rows of the residual stream after the last block into `part`.
    fn pick(&mut self, rows: Range<usize>) -> Result<(&'a B, Head<'a, B>)> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(Error::Spec("logits of tokens that were not read"));
        }
        let decoder = self.decoder;
        let dim = decoder.config.dim;
        let values = rows.start * dim..rows.end * dim;
        decoder.backend.part(&self.hidden, values, &mut self.part)?;
        Ok((&decoder.backend, decoder.head()))
    }

    /// Tokens of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.decoder.vocab()
    }
}
