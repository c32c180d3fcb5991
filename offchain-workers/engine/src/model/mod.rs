// SPDX-License-Identifier: Apache-2.0
//! A chain's model: a Llama-style decoder, and its forward and backward in training.
//!
//! | module | what is in it |
//! |---|---|
//! | `parameters` | the weights as the operations of training read them |
//! | `tape` | a training sequence's way through the model and back |
//! | `gradient` | the gradients of the parameters from the tapes of a batch |

mod gradient;
mod parameters;
mod tape;

pub(crate) use gradient::gradient;
pub(crate) use parameters::Parameters;
pub use tape::Keep;
pub(crate) use tape::Tape;

use crate::{
    backend::{Cpu, Heads, TrainingBackend},
    decoder::{
        block::{Block, Matrices, Place},
        Decoder,
    },
    parallel::Means,
    weights::{FlatParts, Layout, Weights},
    Error, Result,
};
use agorai_exact::rope;
use agorai_primitives::model::Architecture;

/// Added to the mean square in RMS norms (Llama's value).
pub(crate) const EPS: f32 = 1e-5;

/// The sizes of an architecture, for indexing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Tokens.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Query heads.
    pub heads: usize,
    /// Key heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// Width of all key heads.
    pub kv: usize,
    /// Width of the feed-forward layer.
    pub ff: usize,
    /// Most positions.
    pub context: usize,
}

impl Shape {
    /// The sizes of a valid architecture.
    pub fn new(a: &Architecture) -> Self {
        Self {
            vocab: a.vocab as usize,
            dim: a.dim as usize,
            heads: a.heads as usize,
            kv_heads: a.kv_heads as usize,
            head: a.head_dim() as usize,
            kv: (a.head_dim() * a.kv_heads) as usize,
            ff: a.ff as usize,
            context: a.context as usize,
        }
    }

    /// The heads of attention, which see everything before them.
    pub fn heads(&self) -> Heads {
        Heads {
            query: self.heads,
            key: self.kv_heads,
            width: self.head,
            // The square root and the division are correctly rounded.
            scale: 1.0 / (self.head as f32).sqrt(),
            window: None,
        }
    }
}

/// Everything that the way through the model and back reads.
pub(crate) struct View<'a, B: TrainingBackend> {
    /// The sizes.
    pub shape: Shape,
    /// Where each tensor stands.
    pub layout: &'a Layout,
    /// All parameters.
    pub parameters: &'a Parameters<B>,
    /// The rotary angles.
    pub angles: &'a B::Angles,
}

impl<B: TrainingBackend> View<'_, B> {
    /// A block, and its matrices for the way back.
    fn block(&self, layer: usize) -> (&Block<B>, &Matrices<B::Matrix>) {
        let p = self.parameters;
        (&p.blocks[layer], &p.back[layer])
    }

    fn layers(&self) -> usize {
        self.parameters.blocks.len()
    }

    /// A whole sequence.
    fn place(&self) -> Place<'_, B> {
        Place {
            heads: self.shape.heads(),
            offset: 0,
            angles: self.angles,
        }
    }
}

/// A chain model: its weights, and the decoder that they make.
pub struct Model {
    weights: Weights,
    decoder: Decoder<Cpu>,
}

impl Model {
    /// Packs weights, whose architecture must be valid.
    pub fn new(means: Means, weights: Weights) -> Result<Self> {
        let parts = FlatParts::new(&weights);
        let decoder = Decoder::load(Cpu { means }, &parts, &mut || {})?;
        Ok(Self { weights, decoder })
    }

    /// The same model with other parameters.
    pub fn with_values(&self, means: Means, values: Vec<f32>) -> Result<Self> {
        if values.len() != self.weights.values.len() {
            return Err(Error::Weights("another number of parameters".into()));
        }
        let weights = Weights {
            architecture: self.weights.architecture,
            layout: self.weights.layout.clone(),
            values,
            tokenizer: self.weights.tokenizer,
        };
        Self::new(means, weights)
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What reads and writes with them.
    pub fn decoder(&self) -> &Decoder<Cpu> {
        &self.decoder
    }
}

/// The rotary angles of an architecture.
pub(crate) fn angles<B: TrainingBackend>(backend: &B, a: &Architecture) -> Result<B::Angles> {
    let frequencies = rope::frequencies(a.head_dim() as usize, a.rope_theta as f32)?;
    backend.angles(&frequencies, a.context as usize)
}
