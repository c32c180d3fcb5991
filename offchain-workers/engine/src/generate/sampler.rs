// SPDX-License-Identifier: Apache-2.0
//! Sampling of tokens while logits are computed in chunks: each chunk is reduced to candidates on the thread that
//! computed it, and logits are never materialised.

use crate::{
    backend::{Backend, CHUNK},
    decoder::Session,
    error::{Error, Result},
    parallel::ComputeConfig,
    trace::Recorder,
};
use agorai_exact::sampling::{self, Candidate, Draw};
use agorai_primitives::job::Sampling;
use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Maximum number of rows of logits that are computed together: a chunk of them stays in the second-level cache.
pub(crate) const MAX_ROWS: usize = 96;
/// Maximum number of candidates in memory, unless one row has more.
pub(crate) const MAX_CANDIDATES: usize = 1 << 21;

/// Samples the tokens of an answer.
#[derive(Clone, Debug)]
pub struct Sampler {
    compute: ComputeConfig,
    sampling: sampling::Sampling,
    seed: [u8; 32],
}

impl Sampler {
    /// Returns the sampler of a job's parameters.
    pub fn new(compute: ComputeConfig, spec: &Sampling) -> Self {
        let mut seed = *b"agorai/sampling/1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        seed[24..].copy_from_slice(&spec.seed.to_le_bytes());
        let top_p = match spec.top_p_milli {
            0 | 1000.. => 1.0,
            milli => milli as f32 / 1e3,
        };
        Self {
            compute,
            sampling: sampling::Sampling {
                temperature: spec.temperature_milli as f32 / 1e3,
                top_k: spec.top_k,
                top_p,
            },
            seed,
        }
    }

    /// Returns a sampler of the most likely token.
    pub fn greedy(compute: ComputeConfig) -> Self {
        Self {
            compute,
            sampling: sampling::Sampling::GREEDY,
            seed: [0; 32],
        }
    }

    /// Returns the draw of token `index` of the answer, from 0.
    fn draw(&self, index: usize) -> Result<Draw> {
        Ok(Draw::new(self.sampling, self.seed, index as u64)?)
    }

    /// Returns how many rows of `vocab` logits are sampled together; bounds the candidates in memory.
    pub(super) fn rows(&self, vocab: usize) -> usize {
        let (p, k) = (self.sampling.top_p < 1.0, self.sampling.top_k as usize);
        let row_candidates = match self.sampling.temperature > 0.0 && (p || k > 0) {
            // At most k of each chunk, or all.
            true if k > 0 => (vocab.div_ceil(CHUNK) * k).min(vocab),
            true => vocab,
            false => vocab.div_ceil(CHUNK),
        };
        (MAX_CANDIDATES / row_candidates.max(1)).clamp(1, MAX_ROWS)
    }

    /// Samples the tokens of the answer from token `first` on, one from each of the given rows of the last feed.
    /// `recorder` receives a leaf for each.
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
        let mut candidates: Vec<Mutex<RowCandidates>> = Vec::new();
        candidates.resize_with(count, Default::default);
        let isa = self.compute.isa;
        session.logits_in_chunks(rows, &|first, chunk| {
            let token = u32::try_from(first).map_err(|_| Error::Spec("the vocabulary exceeds 32 bits"))?;
            let mut found = Vec::new();
            let logits = chunk.chunks_exact(chunk.len() / count);
            for ((logits, draw), row) in logits.zip(&draws).zip(&candidates) {
                found.clear();
                draw.add_candidates(isa, token, logits, &mut found)?;
                let mut row = row.lock().unwrap_or_else(PoisonError::into_inner);
                row.best.extend(Candidate::best(&found));
                row.candidates.extend_from_slice(&found);
            }
            Ok(())
        })?;
        let mut tokens = Vec::with_capacity(count);
        for (row, draw) in candidates.into_iter().zip(&draws) {
            let row = row.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut remaining = draw.truncate(isa, row.candidates)?;
            if let Some(recorder) = recorder.as_deref_mut() {
                recorder.push_bytes(&leaf_bytes(draw, row.best, &mut remaining));
            }
            tokens.push(draw.sample(remaining)?);
        }
        Ok(tokens)
    }
}

/// The candidates of a row, in any order.
#[derive(Default)]
struct RowCandidates {
    /// The best candidate of each chunk.
    best: Vec<Candidate>,
    candidates: Vec<Candidate>,
}

/// Returns the bytes that the leaf of a draw covers: the best candidate of each chunk, then, if top-k or top-p applies,
/// the candidates that remain. They depend on every logit, and unlike the logits they mostly fit into a message.
fn leaf_bytes(draw: &Draw, mut best: Vec<Candidate>, remaining: &mut [Candidate]) -> Vec<u8> {
    best.sort_unstable_by_key(Candidate::token);
    remaining.sort_unstable_by_key(Candidate::token);
    let remaining = if draw.truncates() { &*remaining } else { &[] };
    let all = best.iter().chain(remaining);
    all.flat_map(Candidate::to_le_bytes).collect()
}
