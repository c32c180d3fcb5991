// SPDX-License-Identifier: Apache-2.0
//! Sampling of the next token: temperature, top-k, top-p, Gumbel-max.
//!
//! Canonical order of one row of logits:
//! 1. temperature 0: the token is the lowest index of the largest logit;
//! 2. `z[i] = logit[i] / temperature`;
//! 3. candidates are ordered by z descending, equal ones by index ascending; top-k retains the first k;
//! 4. top-p: softmax over the candidates in that order; its probabilities are added sequentially
//!    from +0.0; the candidates up to and including the first whose running sum reaches p are retained;
//! 5. for each retained candidate `g = z - ln(-ln(u))`, u uniform from the word with the token's index
//!    ([`crate::rng::Words`]); the token is the one with the largest g, the lowest index among equal ones.
//!
//! Gumbel-max samples from exactly the softmax of the retained candidates without a cumulative sum.

use alloc::vec::Vec;

use crate::error::{Error, Operation, Result};
use crate::math::{ln, ln_slice};
use crate::reduce::argmax;
use crate::rng::{uniforms, Words};
use crate::softmax::softmax;
use crate::Isa;

/// The number of logits of a chunk of a row (the last may be shorter). Traces contain the [best](Candidate::best)
/// candidate of each chunk, so this size is part of the protocol.
pub const CHUNK: usize = 4096;

/// The number of Gumbel variates computed at a time: a multiple of the 256 words of sixteen ChaCha20 blocks.
const GUMBEL_BATCH: usize = 1024;

/// The parameters of sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The divisor of the logits, finite and not negative; 0 selects the most likely token.
    pub temperature: f32,
    /// The number of most likely candidates to retain; 0 retains all.
    pub top_k: u32,
    /// Retains the most likely candidates whose probabilities add up to this one; in (0, 1], 1 retains all.
    pub top_p: f32,
}

impl Sampling {
    /// Greedy decoding: always the most likely token.
    pub const GREEDY: Sampling = Sampling {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
    };

    /// Returns [`Error::Parameter`] unless every parameter lies in its domain.
    pub fn validate(&self) -> Result<()> {
        let fits = self.temperature >= 0.0 && self.temperature.is_finite() && self.top_p > 0.0 && self.top_p <= 1.0;
        if fits {
            Ok(())
        } else {
            Err(Error::Parameter)
        }
    }

    /// Samples the token of a position from its row of logits. The token is a function of seed, position and logits.
    pub fn sample(&self, isa: Isa, seed: [u8; 32], position: u64, logits: &[f32]) -> Result<u32> {
        let draw = Draw::new(*self, seed, position)?;
        let mut candidates = Vec::new();
        draw.add_candidates(isa, 0, logits, &mut candidates)?;
        draw.sample(draw.truncate(isa, candidates)?)
    }

    /// Returns whether steps 3 and 4 retain every candidate.
    fn retains_all(&self) -> bool {
        self.top_k == 0 && self.top_p == 1.0
    }
}

/// A token that can be sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The value by which the candidates of a chunk are compared: the logit if the temperature is 0, g if every
    /// candidate is retained, otherwise z. Zeros are +0.0.
    value: f32,
    token: u32,
}

impl Candidate {
    /// Returns the token.
    pub fn token(&self) -> u32 {
        self.token
    }

    /// Returns the candidate with the largest value, the lowest token among equal ones.
    pub fn best(candidates: &[Candidate]) -> Option<Candidate> {
        candidates.iter().copied().min_by(Candidate::order)
    }

    /// Returns the token and the bits of the value, little endian.
    pub fn to_le_bytes(&self) -> [u8; 8] {
        let [a, b, c, d] = self.token.to_le_bytes();
        let [e, f, g, h] = self.value.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Orders by value descending, then by token ascending.
    fn order(&self, other: &Candidate) -> core::cmp::Ordering {
        let values = other.value.total_cmp(&self.value);
        values.then(self.token.cmp(&other.token))
    }
}

/// Sampling of one token from a row of logits that is computed in chunks, in any order and never as a whole.
///
/// [`Draw::add_candidates`] collects from each chunk the candidates that can be sampled, [`Draw::truncate`] applies
/// top-k and top-p to those of all chunks, and [`Draw::sample`] selects the token.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    sampling: Sampling,
    seed: [u8; 32],
    position: u64,
}

impl Draw {
    /// Creates the draw of a position; [`Error::Parameter`] as [`Sampling::validate`].
    pub fn new(sampling: Sampling, seed: [u8; 32], position: u64) -> Result<Draw> {
        sampling.validate()?;
        Ok(Draw {
            sampling,
            seed,
            position,
        })
    }

    /// Adds to `candidates` those among the tokens from `first` on, a multiple of 256, whose logits are `chunk`: one if
    /// the draw does not [truncate](Draw::truncates), at most k with top-k, otherwise all.
    pub fn add_candidates(&self, isa: Isa, first: u32, chunk: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let operation = Operation("add_candidates");
        operation.multiple_of("first token", 256, first as usize)?;
        operation.at_most("logits of the chunk", (u32::MAX - first) as usize, chunk.len())?;
        if chunk.is_empty() {
            return Ok(());
        }
        if self.sampling.temperature == 0.0 {
            let index = argmax(isa, chunk)?;
            candidates.push(Candidate {
                // Adding +0.0 makes zeros of both signs equal.
                value: chunk[index] + 0.0,
                token: first + index as u32,
            });
            return Ok(());
        }
        match self.sampling.retains_all() {
            true => self.add_sampled(isa, first, chunk, candidates),
            false => self.add_largest(first, chunk, candidates),
        }
    }

    /// Steps 2 and 5 for all tokens of a chunk: adds the one with the largest g.
    fn add_sampled(&self, isa: Isa, first: u32, chunk: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let mut best: Option<Candidate> = None;
        let mut buffers = [[0.0f32; GUMBEL_BATCH]; 2];
        for (index, logits) in chunk.chunks(GUMBEL_BATCH).enumerate() {
            let first = first + (index * GUMBEL_BATCH) as u32;
            let [a, b] = &mut buffers;
            let (a, b) = (&mut a[..logits.len()], &mut b[..logits.len()]);
            uniforms(isa, &self.seed, self.position, first, a);
            ln_slice(isa, a, b)?;
            b.iter_mut().for_each(|x| *x = -*x);
            ln_slice(isa, b, a)?;
            for ((g, &logit), &ln) in b.iter_mut().zip(logits).zip(a.iter()) {
                *g = logit / self.sampling.temperature + 0.0 - ln;
            }
            let index = argmax(isa, b)?;
            let value = b[index] + 0.0;
            if best.is_none_or(|best| value > best.value) {
                let token = first + index as u32;
                best = Some(Candidate { value, token });
            }
        }
        candidates.extend(best);
        Ok(())
    }

    /// Step 2, and step 3 within a chunk: adds the candidates with the largest z.
    fn add_largest(&self, first: u32, chunk: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let before = candidates.len();
        for (token, &logit) in (first..).zip(chunk) {
            // Adding +0.0 makes zeros of both signs equal.
            let value = logit / self.sampling.temperature + 0.0;
            if value.is_nan() {
                return Err(Error::NotANumber);
            }
            candidates.push(Candidate { value, token });
        }
        let k = self.sampling.top_k as usize;
        if k > 0 && k < chunk.len() {
            candidates[before..].select_nth_unstable_by(k - 1, Candidate::order);
            candidates.truncate(before + k);
        }
        Ok(())
    }

    /// Returns whether steps 3 and 4 may remove candidates: top-k or top-p is set, and the temperature is not 0.
    pub fn truncates(&self) -> bool {
        self.sampling.temperature > 0.0 && !self.sampling.retains_all()
    }

    /// Returns the candidates, of those of all chunks of the row, that steps 3 and 4 retain, in any order.
    pub fn truncate(&self, isa: Isa, mut candidates: Vec<Candidate>) -> Result<Vec<Candidate>> {
        if self.truncates() && !candidates.is_empty() {
            self.apply_top_k_top_p(isa, &mut candidates)?;
        }
        Ok(candidates)
    }

    /// Samples the token from the retained candidates; [`Error::Shape`] if there are none.
    pub fn sample(&self, mut retained: Vec<Candidate>) -> Result<u32> {
        if self.truncates() {
            let mut words = Words::new(self.seed, self.position);
            for candidate in &mut retained {
                candidate.value -= ln(-ln(words.uniform(candidate.token)));
                candidate.value += 0.0;
            }
        }
        Operation("sample").at_least("candidates", 1, retained.len())?;
        let best = Candidate::best(&retained).ok_or(Error::NotANumber)?;
        Ok(best.token)
    }

    /// Steps 3 and 4.
    fn apply_top_k_top_p(&self, isa: Isa, candidates: &mut Vec<Candidate>) -> Result<()> {
        let k = self.sampling.top_k as usize;
        if k > 0 && k < candidates.len() {
            candidates.select_nth_unstable_by(k - 1, Candidate::order);
            candidates.truncate(k);
        }
        if self.sampling.top_p < 1.0 {
            candidates.sort_unstable_by(Candidate::order);
            let mut p: Vec<f32> = candidates.iter().map(|c| c.value).collect();
            let width = p.len();
            softmax(isa, &mut p, width)?;
            let mut sum = 0.0f32;
            let reached = p.iter().position(|&p| {
                sum += p;
                sum >= self.sampling.top_p
            });
            if let Some(last) = reached {
                candidates.truncate(last + 1);
            }
        }
        Ok(())
    }
}
