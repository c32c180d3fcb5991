// SPDX-License-Identifier: Apache-2.0
//! The frequencies of rotary positions, scaled as a model asks for.
//!
//! Canonical order, for frequency f of [`rope::frequencies`] (docs/numerics.md):
//! * linear: `f / factor`; divisors: `f / divisor`;
//! * Llama 3: see [`llama3`].

use super::Parts;
use crate::{
    files::{config::RopeScaling, ModelConfig, Part},
    Error, Result,
};
use agorai_exact::rope;

/// 2 pi.
const TURN: f32 = std::f32::consts::TAU;

/// The frequencies of layers that see everything.
pub fn frequencies(config: &ModelConfig, parts: &dyn Parts) -> Result<Vec<f32>> {
    let mut frequencies = rope::frequencies(config.head_dim, config.rope.theta)?;
    match config.rope.scaling {
        RopeScaling::None => {}
        RopeScaling::Linear { factor } => frequencies.iter_mut().for_each(|f| *f /= factor),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } => {
            let context = original_context as f32;
            for f in &mut frequencies {
                *f = llama3(*f, factor, low_freq_factor, high_freq_factor, context);
            }
        }
        RopeScaling::Divisors => {
            let divisors = parts.vector(Part::RopeDivisors)?;
            if divisors.len() != frequencies.len() {
                return Err(Error::Weights("rope's divisors do not fit the heads".into()));
            }
            for (f, divisor) in frequencies.iter_mut().zip(divisors) {
                *f /= divisor;
            }
        }
    }
    Ok(frequencies)
}

/// The frequencies of layers that see a window.
pub fn local_frequencies(config: &ModelConfig) -> Result<Vec<f32>> {
    let theta = config.rope.local_theta.unwrap_or(config.rope.theta);
    Ok(rope::frequencies(config.head_dim, theta)?)
}

/// Llama 3's scaling of one frequency: with the wavelength `w = 2 pi / f`, f where `w < context / high`;
/// `f / factor` where `w > context / low`; between, with `s = (context / w - low) / (high - low)`,
/// `(1 - s) * (f / factor) + s * f`.
fn llama3(f: f32, factor: f32, low: f32, high: f32, context: f32) -> f32 {
    let wavelength = TURN / f;
    if wavelength < context / high {
        f
    } else if wavelength > context / low {
        f / factor
    } else {
        let s = (context / wavelength - low) / (high - low);
        (1.0 - s) * (f / factor) + s * f
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_leaves_high_frequencies_divides_low_ones_and_interpolates_between() {
        let scaled = |f| llama3(f, 8.0, 1.0, 4.0, 8192.0);
        assert_eq!(scaled(1.0), 1.0);
        assert_eq!(scaled(1e-5), 1e-5 / 8.0);
        let middle = TURN / 4096.0;
        let third = 1.0 / 3.0;
        let expected = middle * (third + (1.0 - third) / 8.0);
        assert!((scaled(middle) / expected - 1.0).abs() < 1e-6);
    }
}
