// SPDX-License-Identifier: Apache-2.0
//! Inference: one sequence with a memory of its keys and values.
//!
//! Feeding tokens one by one or all at once gives the same bits, in the results and in the trace.

use super::{
    attention::{attend, Head, Memory},
    block::{Activations, EPS},
    View,
};
use crate::{parallel::Means, trace::Recorder, Error, Result};
use agorai_exact::{embedding, matmul::Chain, norm};
use std::ops::Range;

/// Rows that are computed together in a long feed: bounds the memory of activations.
pub(crate) const TOGETHER: usize = 128;

/// A sequence being read by a view.
pub struct Session<'a> {
    view: View<'a>,
    means: Means,
    memory: Vec<Vec<Memory>>,
    heads: Vec<Head>,
    activations: Activations,
    out: Vec<f32>,
    positions: Vec<u32>,
    /// The residual stream after the last block, of the last feed.
    hidden: Vec<f32>,
    normed: Vec<f32>,
    inv: Vec<f32>,
    logits: Vec<f32>,
}

impl<'a> Session<'a> {
    /// An empty sequence.
    pub fn new(view: View<'a>, means: Means) -> Result<Self> {
        let shape = view.shape;
        let memory = (0..view.layers())
            .map(|_| (0..shape.kv_heads).map(|_| Memory::new(&shape)).collect())
            .collect::<Result<_>>()?;
        Ok(Self {
            view,
            means,
            memory,
            heads: Vec::new(),
            activations: Activations::default(),
            out: Vec::new(),
            positions: Vec::new(),
            hidden: Vec::new(),
            normed: Vec::new(),
            inv: Vec::new(),
            logits: Vec::new(),
        })
    }

    /// Number of tokens read so far.
    pub fn len(&self) -> usize {
        self.positions.last().map_or(0, |last| *last as usize + 1)
    }

    /// Whether no token has been read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads tokens. The recorder, if any, gets a leaf for each position and block, positions first: the
    /// rows of rotated queries and keys, values, attention, the residual stream after it, the gated
    /// activation, and the residual stream after the block.
    pub fn feed(&mut self, tokens: &[u32], mut recorder: Option<&mut Recorder>) -> Result<()> {
        if self.len() + tokens.len() > self.view.shape.context {
            return Err(Error::Spec("more tokens than the model's context"));
        }
        self.hidden.clear();
        for part in tokens.chunks(TOGETHER) {
            self.feed_part(part, recorder.as_deref_mut())?;
        }
        Ok(())
    }

    fn feed_part(&mut self, tokens: &[u32], mut recorder: Option<&mut Recorder>) -> Result<()> {
        let (view, means, shape) = (self.view, self.means, self.view.shape);
        let (rows, offset) = (tokens.len(), self.len());
        self.positions.clear();
        self.positions
            .extend((offset..offset + rows).map(|position| position as u32));
        let a = &mut self.activations;
        a.resize(&shape, rows);
        self.out.resize(rows * shape.dim, 0.0);
        embedding::gather(view.embedding(), shape.dim, tokens, &mut a.input)?;
        let stride = view.layers();
        let first = recorder
            .as_deref_mut()
            .map_or(0, |r| r.reserve(rows * stride));
        for layer in 0..view.layers() {
            let block = view.block(layer);
            block.project(means, view.rope, &self.positions, a)?;
            attend(
                means,
                &shape,
                offset,
                &a.query,
                &a.key,
                &a.value,
                &mut self.memory[layer],
                &mut self.heads,
                &mut a.attended,
            )?;
            block.finish(means, a, &mut self.out)?;
            if let Some(recorder) = recorder.as_deref_mut() {
                let operations: [(&[f32], usize); 7] = [
                    (&a.query, shape.dim),
                    (&a.key, shape.kv),
                    (&a.value, shape.kv),
                    (&a.attended, shape.dim),
                    (&a.middle, shape.dim),
                    (&a.gated, shape.ff),
                    (&self.out, shape.dim),
                ];
                recorder.rows(means, first + layer, stride, rows, &operations);
            }
            std::mem::swap(&mut a.input, &mut self.out);
        }
        self.hidden.extend_from_slice(&a.input);
        Ok(())
    }

    /// The logits `[rows, vocab]` after some of the last feed's tokens.
    pub fn logits(&mut self, rows: Range<usize>) -> Result<&[f32]> {
        let (view, means, shape) = (self.view, self.means, self.view.shape);
        let hidden = self
            .hidden
            .get(rows.start * shape.dim..rows.end * shape.dim)
            .ok_or(Error::Spec("logits of tokens that were not read"))?;
        self.normed.resize(hidden.len(), 0.0);
        self.inv.resize(rows.len(), 0.0);
        self.logits.resize(rows.len() * shape.vocab, 0.0);
        norm::rmsnorm(
            means.isa,
            hidden,
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
        )?;
        Ok(&self.logits)
    }
}
