// SPDX-License-Identifier: Apache-2.0
//! Draws by weight, without replacement, from a seed: committees, executors, auditors.
//!
//! Knows nothing of claims or of chains. Whoever knows seed and weights gets the same places.

use crate::Balance;
use alloc::vec::Vec;
use codec::Encode;
use sp_core::{H256, U256};
use sp_crypto_hashing::blake2_256;

/// The seed after another block has added its value to it.
pub fn mix(seed: &H256, value: &H256) -> H256 {
    (b"agorai/draw/mix/1", seed, value).using_encoded(blake2_256).into()
}

/// Draws `count` different places of `weights`, each next one with a chance in proportion to its weight
/// among those that are left. Places of weight 0 are never drawn, so fewer come back where too few have
/// weight. The places are in the order of `weights`.
///
/// The i-th draw takes `H(seed, i)` modulo the sum of what is left; with 256 bits against weights of 128
/// the bias is below 2^-120.
pub fn draw(seed: &H256, weights: &[Balance], count: usize) -> Vec<usize> {
    let mut left: Vec<(usize, U256)> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(place, weight)| (place, U256::from(*weight)))
        .collect();
    let mut sum = left
        .iter()
        .fold(U256::zero(), |sum, (_, weight)| sum.saturating_add(*weight));
    let mut drawn = Vec::new();
    for turn in 0..count as u64 {
        if left.is_empty() {
            break;
        }
        let point = (b"agorai/draw/1", seed, turn).using_encoded(blake2_256);
        let chosen = hit(&left, U256::from_little_endian(&point) % sum);
        let (place, weight) = left.remove(chosen);
        sum = sum.saturating_sub(weight);
        drawn.push(place);
    }
    drawn.sort_unstable();
    drawn
}

/// Draws one place; `None` where none has weight.
pub fn draw_one(seed: &H256, weights: &[Balance]) -> Option<usize> {
    draw(seed, weights, 1).first().copied()
}

/// The index in whose stretch `point` lies when the weights are laid end to end.
fn hit(weights: &[(usize, U256)], mut point: U256) -> usize {
    for (index, (_, weight)) in weights.iter().enumerate() {
        if point < *weight {
            return index;
        }
        point = point.saturating_sub(*weight);
    }
    // Not reached for a point below the sum; the last one is as good an answer as any.
    weights.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draw_gives_different_places_with_weight_in_order(
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
            prop_assert!(drawn.iter().all(|place| weights[*place] > 0));
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
    fn nobody_is_drawn_when_nobody_has_weight() {
        assert_eq!(draw_one(&H256::zero(), &[]), None);
        assert_eq!(draw_one(&H256::zero(), &[0, 0]), None);
        assert_eq!(draw_one(&H256::zero(), &[0, 5, 0]), Some(1));
    }
}
