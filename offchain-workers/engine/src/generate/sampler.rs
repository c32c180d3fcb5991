// SPDX-License-Identifier: Apache-2.0
//! Tokens drawn from logits while these are made: a part of many rows' logits is looked at on the thread that
//! computed it, and not kept.

use crate::{
    backend::{Backend, COLUMNS},
    decoder::Session,
    parallel::Means,
    trace::Recorder,
    Error, Result,
};
use agorai_exact::sampling::{self, Candidate, Draw};
use agorai_primitives::job::Sampling;
use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Rows of logits that are computed together at most: a part of them stays in the second-level cache.
pub(crate) const ROWS: usize = 96;
/// Candidates that are held at once, unless one row has more.
pub(crate) const CANDIDATES: usize = 1 << 21;

/// Draws the tokens of an answer.
#[derive(Clone, Debug)]
pub struct Sampler {
    means: Means,
    how: sampling::Sampling,
    seed: [u8; 32],
}

impl Sampler {
    /// Of a job's parameters.
    pub fn new(means: Means, spec: &Sampling) -> Self {
        let mut seed = *b"agorai/sampling/1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        seed[24..].copy_from_slice(&spec.seed.to_le_bytes());
        let top_p = match spec.top_p_milli {
            0 | 1000.. => 1.0,
            milli => milli as f32 / 1e3,
        };
        Self {
            means,
            how: sampling::Sampling {
                temperature: spec.temperature_milli as f32 / 1e3,
                top_k: spec.top_k,
                top_p,
            },
            seed,
        }
    }

    /// Always the most likely token.
    pub fn greedy(means: Means) -> Self {
        Self {
            means,
            how: sampling::Sampling::GREEDY,
            seed: [0; 32],
        }
    }

    /// The draw of token `index` of the answer, from 0.
    fn draw(&self, index: usize) -> Result<Draw> {
        Ok(Draw::new(self.how, self.seed, index as u64)?)
    }

    /// Rows of logits of so many tokens that are drawn from together: bounds the candidates that are held.
    pub(super) fn rows(&self, vocab: usize) -> usize {
        let (p, k) = (self.how.top_p < 1.0, self.how.top_k as usize);
        let each = match self.how.temperature > 0.0 && (p || k > 0) {
            // Of each part at most k, or all.
            true if k > 0 => (vocab.div_ceil(COLUMNS) * k).min(vocab),
            true => vocab,
            false => vocab.div_ceil(COLUMNS),
        };
        (CANDIDATES / each.max(1)).clamp(1, ROWS)
    }

    /// The tokens of the answer from `first` on, each from its row of logits of the last feed; `recorder` gets
    /// a leaf for each. The logits are read where and when they are made, and not kept.
    pub(super) fn tokens<B: Backend>(
        &self,
        first: usize,
        session: &mut Session<'_, B>,
        rows: Range<usize>,
        mut recorder: Option<&mut Recorder>,
    ) -> Result<Vec<u32>> {
        let count = rows.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let draws = (first..first + count).map(|index| self.draw(index));
        let draws = draws.collect::<Result<Vec<Draw>>>()?;
        let mut seen: Vec<Mutex<Seen>> = Vec::new();
        seen.resize_with(count, Default::default);
        let isa = self.means.isa;
        session.each_logits(rows, &|first, part| {
            let token = u32::try_from(first).map_err(|_| Error::Spec("a vocabulary"))?;
            let mut found = Vec::new();
            let part = part.chunks_exact(part.len() / count);
            for ((logits, draw), seen) in part.zip(&draws).zip(&seen) {
                found.clear();
                draw.sift(isa, token, logits, &mut found)?;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.best.extend(Candidate::best(&found));
                seen.candidates.extend_from_slice(&found);
            }
            Ok(())
        })?;
        let mut tokens = Vec::with_capacity(count);
        for (seen, draw) in seen.into_iter().zip(&draws) {
            let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut kept = draw.keep(isa, seen.candidates)?;
            if let Some(recorder) = recorder.as_deref_mut() {
                recorder.push_bytes(&leaf_bytes(draw, seen.best, &mut kept));
            }
            tokens.push(draw.choose(kept)?);
        }
        Ok(tokens)
    }
}

/// What was seen of a row, in any order.
#[derive(Default)]
struct Seen {
    /// The best candidate of each part.
    best: Vec<Candidate>,
    candidates: Vec<Candidate>,
}

/// What the leaf of a draw covers: the best of each part, then, where some are cut, the candidates that are kept. They
/// depend on every logit, and unlike the logits they mostly fit into a message.
fn leaf_bytes(draw: &Draw, mut best: Vec<Candidate>, kept: &mut [Candidate]) -> Vec<u8> {
    best.sort_unstable_by_key(Candidate::token);
    kept.sort_unstable_by_key(Candidate::token);
    let kept = if draw.cuts() { &*kept } else { &[] };
    let all = best.iter().chain(kept);
    all.flat_map(Candidate::to_le_bytes).collect()
}
