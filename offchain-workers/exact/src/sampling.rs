// SPDX-License-Identifier: Apache-2.0
//! Choosing the next token: temperature, top-k, top-p, Gumbel-max.
//!
//! Canonical order, for one row of logits:
//! 1. temperature 0: the index of the largest logit, the lowest of several;
//! 2. `z[i] = logit[i] / temperature`;
//! 3. candidates are ordered by z descending, equal ones by index ascending; top-k keeps the first k;
//! 4. top-p: softmax over the candidates in that order, its probabilities added one after the other
//!    from +0.0; the candidates up to and with the first whose running sum reaches p are kept;
//! 5. for each kept candidate `g = z - ln(-ln(u))`, u uniform from the word with the token's index
//!    ([`crate::rng::Words`]); the largest g wins, of equal ones the lowest index.
//!
//! Gumbel-max draws from exactly the softmax of the kept candidates, with no running sum to compare.

use alloc::vec::Vec;

use crate::error::{shape, Error, Result};
use crate::math::{ln, ln_slice};
use crate::reduce::argmax;
use crate::rng::{uniforms, Words};
use crate::softmax::softmax;
use crate::Isa;

/// Tokens of a part of a row (the last may be shorter). Traces hold the [best](Candidate::best) of each part, so this
/// size is agreed upon.
pub const CHUNK: usize = 4096;

/// Candidates handled together: a multiple of the 256 words of sixteen blocks.
const GUMBEL_BATCH: usize = 1024;

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 means the most likely token. Finite and not negative.
    pub temperature: f32,
    /// Keeps this many candidates; 0 keeps all.
    pub top_k: u32,
    /// Keeps the most likely candidates that together reach this probability; in (0, 1], 1 keeps all.
    pub top_p: f32,
}

impl Sampling {
    /// Always the most likely token.
    pub const GREEDY: Sampling = Sampling {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
    };

    /// [`Error::Parameter`] unless every parameter lies in its domain.
    pub fn validate(&self) -> Result<()> {
        let fits = self.temperature >= 0.0 && self.temperature.is_finite() && self.top_p > 0.0 && self.top_p <= 1.0;
        if fits {
            Ok(())
        } else {
            Err(Error::Parameter)
        }
    }

    /// The token for a position, from its row of logits. The same seed, position and logits give
    /// the same token.
    pub fn sample(&self, isa: Isa, seed: [u8; 32], position: u64, logits: &[f32]) -> Result<u32> {
        let draw = Draw::new(*self, seed, position)?;
        let mut candidates = Vec::new();
        draw.add_candidates(isa, 0, logits, &mut candidates)?;
        draw.sample(draw.truncate(isa, candidates)?)
    }

    /// Whether steps 3 and 4 keep every candidate.
    fn samples_all(&self) -> bool {
        self.top_k == 0 && self.top_p == 1.0
    }
}

/// A token that may be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// What candidates are compared by, as far as a part of a row tells: the logit where the temperature is 0, g where
    /// every candidate is kept, else z. Zeros are +0.0.
    value: f32,
    token: u32,
}

impl Candidate {
    /// The token.
    pub fn token(&self) -> u32 {
        self.token
    }

    /// The one that comes first: the largest value, of equal ones the lowest token.
    pub fn best(candidates: &[Candidate]) -> Option<Candidate> {
        candidates.iter().copied().min_by(Candidate::order)
    }

    /// The token and the bits of the value, little endian.
    pub fn to_le_bytes(&self) -> [u8; 8] {
        let [a, b, c, d] = self.token.to_le_bytes();
        let [e, f, g, h] = self.value.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Descending values, equal ones by token ascending.
    fn order(&self, other: &Candidate) -> core::cmp::Ordering {
        let values = other.value.total_cmp(&self.value);
        values.then(self.token.cmp(&other.token))
    }
}

/// The draw of one token from a row of logits that is seen in parts, in any order: [`Draw::add_candidates`] takes out of
/// each part the candidates that may win, [`Draw::truncate`] keeps those of all parts that may be drawn, and
/// [`Draw::sample`] draws.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    sampling: Sampling,
    seed: [u8; 32],
    position: u64,
}

impl Draw {
    /// The draw for a position.
    pub fn new(sampling: Sampling, seed: [u8; 32], position: u64) -> Result<Draw> {
        sampling.validate()?;
        Ok(Draw {
            sampling,
            seed,
            position,
        })
    }

    /// Adds the candidates among the tokens from `first` on, a multiple of 256, whose logits are `part`. None
    /// are lost: where nothing is [cut](Draw::truncates) one is added, with top-k at most k, else all.
    pub fn add_candidates(&self, isa: Isa, first: u32, part: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let last = u32::try_from(part.len()).ok().and_then(|len| first.checked_add(len));
        shape(first.is_multiple_of(256) && last.is_some())?;
        if part.is_empty() {
            return Ok(());
        }
        if self.sampling.temperature == 0.0 {
            let index = argmax(isa, part)?;
            candidates.push(Candidate {
                // Zeros of both signs are equal.
                value: part[index] + 0.0,
                token: first + index as u32,
            });
            return Ok(());
        }
        match self.sampling.samples_all() {
            true => self.add_sampled(isa, first, part, candidates),
            false => self.add_largest(first, part, candidates),
        }
    }

    /// Steps 2 and 5 for all tokens of a part, some at a time: the one that wins.
    fn add_sampled(&self, isa: Isa, first: u32, part: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let mut best: Option<Candidate> = None;
        let mut buffers = [[0.0f32; GUMBEL_BATCH]; 2];
        for (index, logits) in part.chunks(GUMBEL_BATCH).enumerate() {
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

    /// Step 2, and step 3 as far as a part tells.
    fn add_largest(&self, first: u32, part: &[f32], candidates: &mut Vec<Candidate>) -> Result<()> {
        let before = candidates.len();
        for (token, &logit) in (first..).zip(part) {
            // Adding +0.0 makes a -0.0 equal to +0.0 in the order.
            let value = logit / self.sampling.temperature + 0.0;
            if value.is_nan() {
                return Err(Error::NotANumber);
            }
            candidates.push(Candidate { value, token });
        }
        let k = self.sampling.top_k as usize;
        if k > 0 && k < part.len() {
            candidates[before..].select_nth_unstable_by(k - 1, Candidate::order);
            candidates.truncate(before + k);
        }
        Ok(())
    }

    /// Whether steps 3 and 4 keep less than every candidate: there is a top-k or a top-p, and a temperature.
    pub fn truncates(&self) -> bool {
        self.sampling.temperature > 0.0 && !self.sampling.samples_all()
    }

    /// The candidates that steps 3 and 4 keep, in any order, of those of all parts of the row.
    pub fn truncate(&self, isa: Isa, mut candidates: Vec<Candidate>) -> Result<Vec<Candidate>> {
        if self.truncates() && !candidates.is_empty() {
            self.apply_top_k_top_p(isa, &mut candidates)?;
        }
        Ok(candidates)
    }

    /// The token, from the candidates that are kept. No candidates: [`Error::Shape`].
    pub fn sample(&self, mut kept: Vec<Candidate>) -> Result<u32> {
        if self.truncates() {
            let mut words = Words::new(self.seed, self.position);
            for candidate in &mut kept {
                candidate.value -= ln(-ln(words.uniform(candidate.token)));
                candidate.value += 0.0;
            }
        }
        let first = Candidate::best(&kept).ok_or(Error::Shape)?;
        Ok(first.token)
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
