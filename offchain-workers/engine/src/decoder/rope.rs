// SPDX-License-Identifier: Apache-2.0
//! The frequencies of rotary positions, scaled as a model asks for.

use super::Parts;
use crate::{
    files::{config::RopeScaling, ModelConfig, Part},
    Error, Result,
};
use agorai_exact::rope::{self, Scaling};

/// The frequencies of layers that see everything.
pub fn frequencies(config: &ModelConfig, parts: &dyn Parts) -> Result<Vec<f32>> {
    let mut frequencies = rope::frequencies(config.head_dim, config.rope.theta)?;
    match config.rope.scaling {
        RopeScaling::None => {}
        RopeScaling::Linear { factor } => Scaling::Linear { factor }.apply(&mut frequencies)?,
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } => {
            let scaling = Scaling::Llama3 {
                factor,
                low: low_freq_factor,
                high: high_freq_factor,
                context: u32::try_from(original_context).map_err(|_| Error::Spec("rope's original context"))?,
            };
            scaling.apply(&mut frequencies)?;
        }
        RopeScaling::Divisors => {
            let divisors = parts.vector(Part::RopeDivisors)?;
            Scaling::Divisors(&divisors).apply(&mut frequencies)?;
        }
    }
    Ok(frequencies)
}

/// The frequencies of layers that see a window.
pub fn local_frequencies(config: &ModelConfig) -> Result<Vec<f32>> {
    let theta = config.rope.local_theta.unwrap_or(config.rope.theta);
    Ok(rope::frequencies(config.head_dim, theta)?)
}
