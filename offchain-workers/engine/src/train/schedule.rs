// SPDX-License-Identifier: Apache-2.0
//! The learning rate of each inner step: linear warm-up, then cosine decay to a tenth.

use agorai_exact::math;
use agorai_primitives::training::Recipe;

/// The final learning rate as a fraction of the peak.
const FLOOR: f32 = 0.1;

/// Returns the learning rate of step `step` (from 0) of a schedule of `total` steps.
///
/// Order: `peak = rate_micros / 1e6`; in the warm-up `peak * ((step + 1) / warmup)`; after it, with
/// `x = (step - warmup) / (total - warmup)` (at most 1), `peak * fma(0.9, fma(0.5, cos(pi x), 0.5), 0.1)`.
pub fn rate(recipe: &Recipe, step: u64, total: u64) -> f32 {
    let peak = recipe.rate_micros as f32 / 1e6;
    let warmup = u64::from(recipe.warmup_steps);
    if step < warmup {
        return peak * ((step + 1) as f32 / warmup as f32);
    }
    let left = total.saturating_sub(warmup).max(1);
    let x = ((step - warmup).min(left) as f32) / left as f32;
    let cosine = math::cos(core::f32::consts::PI * x);
    peak * (1.0 - FLOOR).mul_add(0.5f32.mul_add(cosine, 0.5), FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_rises_then_falls_to_a_tenth() {
        let recipe = Recipe {
            rate_micros: 1_000,
            warmup_steps: 4,
            ..Recipe::SMALL
        };
        let rates: Vec<f32> = (0..=100).map(|step| rate(&recipe, step, 100)).collect();
        assert_eq!(rates[0], 0.00025);
        assert!(rates[..5].windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(rates[4], 0.001);
        assert!(rates[4..].windows(2).all(|pair| pair[0] >= pair[1]));
        assert!((rates[100] - 0.0001).abs() < 1e-9);
        assert_eq!(rate(&recipe, 1_000, 100), rates[100]);
    }
}
