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

/// Candidates handled together: a multiple of the 256 words of sixteen blocks.
const TOGETHER: usize = 1024;

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
        let fits = self.temperature >= 0.0
            && self.temperature.is_finite()
            && self.top_p > 0.0
            && self.top_p <= 1.0;
        if fits {
            Ok(())
        } else {
            Err(Error::Parameter)
        }
    }

    /// The token for a position, from its row of logits. The same seed, position and logits give
    /// the same token.
    pub fn sample(&self, isa: Isa, seed: [u8; 32], position: u64, logits: &[f32]) -> Result<u32> {
        self.validate()?;
        shape(!logits.is_empty() && u32::try_from(logits.len()).is_ok())?;
        if self.temperature == 0.0 {
            return Ok(argmax(isa, logits)? as u32);
        }
        if self.keeps_all(logits) {
            return self.draw_from_all(isa, seed, position, logits);
        }
        let candidates = self.candidates(isa, logits)?;
        let mut words = Words::new(seed, position);
        let mut best: Option<(f32, u32)> = None;
        for (z, index) in candidates {
            let gumbel = z - ln(-ln(words.uniform(index)));
            let wins = match best {
                None => true,
                Some((g, i)) => gumbel > g || (gumbel == g && index < i),
            };
            if wins {
                best = Some((gumbel, index));
            }
        }
        best.map(|(_, index)| index).ok_or(Error::Shape)
    }

    /// Whether steps 3 and 4 keep every candidate.
    fn keeps_all(&self, logits: &[f32]) -> bool {
        let k = self.top_k as usize;
        (k == 0 || k >= logits.len()) && self.top_p == 1.0
    }

    /// Steps 2 and 5 for all candidates, some at a time.
    fn draw_from_all(
        &self,
        isa: Isa,
        seed: [u8; 32],
        position: u64,
        logits: &[f32],
    ) -> Result<u32> {
        let mut best: Option<(f32, u32)> = None;
        let mut buffers = [[0.0f32; TOGETHER]; 2];
        for (part, logits) in logits.chunks(TOGETHER).enumerate() {
            let first = (part * TOGETHER) as u32;
            let [a, b] = &mut buffers;
            let (a, b) = (&mut a[..logits.len()], &mut b[..logits.len()]);
            uniforms(isa, &seed, position, first, a);
            ln_slice(isa, a, b)?;
            b.iter_mut().for_each(|x| *x = -*x);
            ln_slice(isa, b, a)?;
            for ((g, &logit), &ln) in b.iter_mut().zip(logits).zip(a.iter()) {
                *g = logit / self.temperature + 0.0 - ln;
            }
            let index = argmax(isa, b)?;
            let gumbel = b[index];
            if best.is_none_or(|(most, _)| gumbel > most) {
                best = Some((gumbel, first + index as u32));
            }
        }
        best.map(|(_, index)| index).ok_or(Error::Shape)
    }

    /// Steps 2 to 4: the kept candidates as (z, index), in order.
    fn candidates(&self, isa: Isa, logits: &[f32]) -> Result<Vec<(f32, u32)>> {
        let mut candidates = Vec::with_capacity(logits.len());
        for (index, &logit) in (0u32..).zip(logits) {
            // Adding +0.0 makes a -0.0 equal to +0.0 in the order below.
            let z = logit / self.temperature + 0.0;
            if z.is_nan() {
                return Err(Error::NotANumber);
            }
            candidates.push((z, index));
        }
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let k = self.top_k as usize;
        if k > 0 && k < candidates.len() {
            candidates.select_nth_unstable_by(k - 1, order);
            candidates.truncate(k);
        }
        if self.top_p < 1.0 {
            candidates.sort_unstable_by(order);
            let mut p: Vec<f32> = candidates.iter().map(|c| c.0).collect();
            let width = p.len();
            softmax(isa, &mut p, width)?;
            let mut sum = 0.0f32;
            let reached = p.iter().position(|&p| {
                sum += p;
                sum >= self.top_p
            });
            if let Some(last) = reached {
                candidates.truncate(last + 1);
            }
        }
        Ok(candidates)
    }
}
