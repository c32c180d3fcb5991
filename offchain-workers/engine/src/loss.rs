// SPDX-License-Identifier: Apache-2.0
//! Exact sums of token losses.

/// A sum of losses that does not depend on the order of its terms: each is rounded to nano-nats first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    nano_nats: i128,
    tokens: u64,
}

impl Total {
    /// Adds the losses of tokens, in nats.
    pub fn add(&mut self, losses: &[f32]) {
        for loss in losses {
            // The product of binary64 is rounded once, in the same way everywhere; the conversion saturates.
            self.nano_nats += (f64::from(*loss) * 1e9).round() as i64 as i128;
        }
        self.tokens += losses.len() as u64;
    }

    /// Returns the mean in micro-nats per token, rounded half up; 0 without tokens.
    pub fn mean_micro_nats(&self) -> u64 {
        let unit = i128::from(self.tokens) * 1_000;
        if unit == 0 {
            return 0;
        }
        ((self.nano_nats + unit / 2).div_euclid(unit)).clamp(0, u64::MAX as i128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_is_in_micro_nats_and_ignores_order() {
        let mut total = Total::default();
        assert_eq!(total.mean_micro_nats(), 0);
        total.add(&[1.0, 2.0]);
        total.add(&[3.0, 0.5]);
        assert_eq!(total.mean_micro_nats(), 1_625_000);
        let mut other = Total::default();
        other.add(&[0.5, 3.0, 2.0, 1.0]);
        assert_eq!(total, other);
    }
}
