// SPDX-License-Identifier: Apache-2.0
//! Weighted sampling without replacement from a seed, for committees, executors and auditors. The result is a function
//! of the seed and the weights.

use crate::Balance;
use alloc::vec::Vec;
use codec::Encode;
use sp_core::{H256, U256};
use sp_crypto_hashing::blake2_256;

/// Returns the hash of a seed and another value, such as the randomness of a block.
pub fn mix(seed: &H256, value: &H256) -> H256 {
    (b"agorai/draw/mix/1", seed, value).using_encoded(blake2_256).into()
}

/// Draws `count` distinct indices of `weights` and returns them in ascending order. Each draw selects among the
/// remaining indices with a probability proportional to the weight. Indices of weight 0 are not drawn, so the result is
/// shorter than `count` if fewer weights are positive.
///
/// The i-th draw is `H(seed, i)` modulo the sum of the remaining weights. The hash has 256 bits and a weight at most 128,
/// so the bias is below 2^-120.
pub fn draw(seed: &H256, weights: &[Balance], count: usize) -> Vec<usize> {
    let mut remaining: Vec<(usize, U256)> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(index, weight)| (index, U256::from(*weight)))
        .collect();
    let mut sum = remaining
        .iter()
        .fold(U256::zero(), |sum, (_, weight)| sum.saturating_add(*weight));
    let mut drawn = Vec::new();
    for round in 0..count as u64 {
        if remaining.is_empty() {
            break;
        }
        let point = (b"agorai/draw/1", seed, round).using_encoded(blake2_256);
        let selected = interval_at(&remaining, U256::from_little_endian(&point) % sum);
        let (index, weight) = remaining.remove(selected);
        sum = sum.saturating_sub(weight);
        drawn.push(index);
    }
    drawn.sort_unstable();
    drawn
}

/// Draws one index. Returns `None` if no weight is positive.
pub fn draw_one(seed: &H256, weights: &[Balance]) -> Option<usize> {
    draw(seed, weights, 1).first().copied()
}

/// Returns the position of the interval that contains `point`, where the weights are the lengths of consecutive
/// intervals from 0.
fn interval_at(weights: &[(usize, U256)], mut point: U256) -> usize {
    for (index, (_, weight)) in weights.iter().enumerate() {
        if point < *weight {
            return index;
        }
        point = point.saturating_sub(*weight);
    }
    // Unreachable: `point` is below the sum of the weights.
    weights.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draw_returns_distinct_ascending_indices_with_weight(
            seed: [u8; 32],
            weights in prop::collection::vec(any::<Balance>(), 0..40),
            zeros in prop::collection::vec(any::<bool>(), 40),
            count in 0usize..50,
        ) {
            let weights: Vec<_> = weights
                .iter()
                .zip(zeros)
                .map(|(weight, zero)| if zero { 0 } else { *weight })
                .collect();
            let drawn = draw(&H256(seed), &weights, count);
            let drawable = weights.iter().filter(|weight| **weight > 0).count();
            prop_assert_eq!(drawn.len(), count.min(drawable));
            prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(drawn.iter().all(|index| weights[*index] > 0));
            prop_assert_eq!(drawn, draw(&H256(seed), &weights, count));
        }
    }

    #[test]
    fn draw_follows_the_weights() {
        let weights = [1, 2, 7];
        let mut hits = [0u32; 3];
        for turn in 0..10_000u64 {
            let seed = mix(&H256::zero(), &H256::from_low_u64_be(turn));
            hits[draw(&seed, &weights, 1)[0]] += 1;
        }
        for (hit, weight) in hits.iter().zip(weights) {
            let expected = 1_000 * weight as u32;
            assert!(hit.abs_diff(expected) < 200, "{hits:?}");
        }
    }

    #[test]
    fn seed_depends_on_every_value_and_their_order() {
        let (a, b) = (H256([1; 32]), H256([2; 32]));
        let seed = H256::zero();
        assert_ne!(mix(&mix(&seed, &a), &b), mix(&mix(&seed, &b), &a));
        assert_ne!(mix(&seed, &a), mix(&seed, &b));
    }

    #[test]
    fn nothing_is_drawn_without_weight() {
        assert_eq!(draw_one(&H256::zero(), &[]), None);
        assert_eq!(draw_one(&H256::zero(), &[0, 0]), None);
        assert_eq!(draw_one(&H256::zero(), &[0, 5, 0]), Some(1));
    }
}
