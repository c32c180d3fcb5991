// SPDX-License-Identifier: Apache-2.0
//! Initial weights from a seed.

use super::{flat::Weights, layout::Layout};
use crate::{
    config::{BlockPart, Part},
    error::Result,
};
use agorai_exact::rng::chacha20_block;
use agorai_primitives::model::Architecture;

/// Standard deviation of matrices.
const DEVIATION: f32 = 0.02;
/// Number of uniform 16-bit values whose sum is one value.
const TERMS: usize = 12;
/// Values of one ChaCha20 block of 16 words; its last 4 words are not used.
const VALUES_PER_BLOCK: usize = 2;

/// Approximately standard normal values: each is the sum of 12 independent uniform 16-bit values minus its mean,
/// divided by 2^16. Its variance is 1 (to 1e-9), and every operation but the multiplication by the deviation is exact.
struct Normal {
    key: [u8; 32],
    counter: u64,
    ready: Vec<f32>,
}

impl Normal {
    fn new(seed: u64) -> Self {
        let mut key = *b"agorai/weights/init/1\0\0\0\0\0\0\0\0\0\0\0";
        key[24..].copy_from_slice(&seed.to_le_bytes());
        Self {
            key,
            counter: 0,
            ready: Vec::with_capacity(VALUES_PER_BLOCK),
        }
    }

    fn next(&mut self) -> f32 {
        if self.ready.is_empty() {
            // The counter's upper half goes into the nonce: no model is too large for the seed.
            let mut nonce = [0; 12];
            nonce[..4].copy_from_slice(&((self.counter >> 32) as u32).to_le_bytes());
            let words = chacha20_block(&self.key, self.counter as u32, &nonce);
            self.counter += 1;
            for value in words.chunks_exact(TERMS / 2).take(VALUES_PER_BLOCK) {
                let sum: u32 = value.iter().map(|word| (word & 0xffff) + (word >> 16)).sum();
                // Twice the sum less twice its mean 12 * 65535 / 2: an integer below 2^21, exact.
                let doubled = 2 * sum as i32 - (TERMS as i32) * 65_535;
                self.ready.push(doubled as f32 / 131_072.0);
            }
        }
        self.ready.pop().unwrap_or(0.0)
    }
}

impl Weights {
    /// Returns initial weights from a seed; the same bits on every machine.
    ///
    /// Matrices are normal with standard deviation 0.02, those that write to the residual stream with
    /// 0.02 / sqrt(2 layers) (as in GPT-2); norms are 1.
    ///
    /// Errors: an invalid architecture.
    pub fn init(architecture: &Architecture, seed: u64) -> Result<Self> {
        architecture.validate()?;
        let layout = Layout::new(architecture);
        let values = values(architecture, &layout, seed);
        Ok(Self {
            architecture: *architecture,
            layout,
            values,
            tokenizer: None,
        })
    }
}

/// Returns initial parameters, in the layout's order.
fn values(architecture: &Architecture, layout: &Layout, seed: u64) -> Vec<f32> {
    let residual = DEVIATION / (2.0 * architecture.layers as f32).sqrt();
    let mut normal = Normal::new(seed);
    let mut values = Vec::with_capacity(layout.len());
    for slot in &layout.slots {
        if !slot.is_matrix() {
            values.resize(slot.range.end, 1.0);
            continue;
        }
        let writes_residual = matches!(slot.part, Part::Block(_, BlockPart::Output | BlockPart::Down));
        let deviation = if writes_residual { residual } else { DEVIATION };
        values.extend(slot.range.clone().map(|_| normal.next() * deviation));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_nearly_normal() {
        let mut normal = Normal::new(7);
        let draws: Vec<f64> = (0..100_000).map(|_| f64::from(normal.next())).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|v| v * v).sum::<f64>() / 1e5;
        let beyond_two = draws.iter().filter(|v| v.abs() > 2.0).count();
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        assert!((4_000..5_200).contains(&beyond_two), "{beyond_two}");
    }
}
