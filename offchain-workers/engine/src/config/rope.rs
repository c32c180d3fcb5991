// SPDX-License-Identifier: Apache-2.0
//! The rotary position embedding of a model, and its frequencies.

use agorai_exact::{
    rope::{self, Scaling},
    Result,
};

/// How the frequencies are scaled for longer contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// No scaling.
    None,
    /// Every frequency is divided by `factor`.
    Linear {
        /// At least 1.
        factor: f32,
    },
    /// Llama 3: low frequencies are divided by `factor`, high ones are unchanged, those between are interpolated.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f32,
        /// Wavelengths longer than the original context divided by this are low frequencies.
        low_freq_factor: f32,
        /// Wavelengths shorter than the original context divided by this are high frequencies.
        high_freq_factor: f32,
        /// The original context, in positions.
        original_context: usize,
    },
    /// Every frequency is divided by its element of the tensor [`RopeDivisors`](super::Part::RopeDivisors).
    Divisors,
}

/// The rotary position embedding; element i of a head is paired with element i + head_dim / 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Base of the frequencies in local layers, which are never scaled; `None` = the same as `theta`.
    pub local_theta: Option<f32>,
    /// Scaling of the frequencies of global layers.
    pub scaling: RopeScaling,
}

impl Rope {
    /// Returns the scaled frequencies of global layers, one for each of the `head_dim / 2` pairs. `divisors`: the
    /// tensor of [`RopeScaling::Divisors`], `[head_dim / 2]`, ignored by every other scaling.
    ///
    /// Errors: `theta` or a parameter of the scaling outside the bounds of [`agorai_exact::rope`].
    pub fn frequencies(&self, head_dim: usize, divisors: &[f32]) -> Result<Vec<f32>> {
        let mut frequencies = rope::frequencies(head_dim, self.theta)?;
        let scaling = match self.scaling {
            RopeScaling::None => return Ok(frequencies),
            RopeScaling::Linear { factor } => Scaling::Linear { factor },
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            } => Scaling::Llama3 {
                factor,
                low: low_freq_factor,
                high: high_freq_factor,
                // Out of the scaling's bounds if it does not fit.
                context: u32::try_from(original_context).unwrap_or(u32::MAX),
            },
            RopeScaling::Divisors => Scaling::Divisors(divisors),
        };
        scaling.apply(&mut frequencies)?;
        Ok(frequencies)
    }

    /// Returns the frequencies of local layers, one for each of the `head_dim / 2` pairs.
    ///
    /// Errors: as [`Rope::frequencies`].
    pub fn local_frequencies(&self, head_dim: usize) -> Result<Vec<f32>> {
        rope::frequencies(head_dim, self.local_theta.unwrap_or(self.theta))
    }
}
