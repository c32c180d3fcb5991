// SPDX-License-Identifier: Apache-2.0
//! A chain model: a Llama-style decoder, and its forward and backward pass in training.
//!
//! | module | contents |
//! |---|---|
//! | `parameters` | the parameters, packed for the forward and the backward pass |
//! | `tape` | the forward and the backward pass of one sequence |
//! | `gradient` | the gradients of the parameters from the tapes of a batch |

mod gradient;
mod parameters;
mod tape;

pub(crate) use gradient::gradient;
pub(crate) use parameters::{Parameters, View};
pub use tape::Checkpointing;
pub(crate) use tape::Tape;

use crate::{
    backend::Cpu,
    decoder::Decoder,
    error::{Error, Result},
    parallel::ComputeConfig,
    weights::{FlatSource, Weights},
};

/// A chain model: its weights, and the decoder loaded from them.
pub struct Model {
    weights: Weights,
    decoder: Decoder<Cpu>,
}

impl Model {
    /// Loads weights, whose architecture must be valid.
    pub fn new(compute: ComputeConfig, weights: Weights) -> Result<Self> {
        let source = FlatSource::new(&weights);
        let decoder = Decoder::load(Cpu { compute }, &source, &mut || {})?;
        Ok(Self { weights, decoder })
    }

    /// Returns a model of the same architecture and tokenizer with other parameters.
    ///
    /// Errors: another number of parameters.
    pub fn with_values(&self, compute: ComputeConfig, values: Vec<f32>) -> Result<Self> {
        if values.len() != self.weights.values.len() {
            return Err(Error::Weights("the number of parameters differs".into()));
        }
        let weights = Weights {
            architecture: self.weights.architecture,
            layout: self.weights.layout.clone(),
            values,
            tokenizer: self.weights.tokenizer,
        };
        Self::new(compute, weights)
    }

    /// Returns the weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Returns the decoder.
    pub fn decoder(&self) -> &Decoder<Cpu> {
        &self.decoder
    }
}
