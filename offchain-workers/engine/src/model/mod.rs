// SPDX-License-Identifier: Apache-2.0
//! A Llama-style decoder on the exact operations.
//!
//! | module | what is in it |
//! |---|---|
//! | `matrices` | the weights packed for the kernels |
//! | `block` | one block of a training sequence before and after its attention |
//! | `tape` | a training sequence's way through the model and back |
//! | `gradient` | the gradients of the parameters from the tapes of a batch |

mod block;
mod gradient;
mod matrices;
mod tape;

pub use gradient::gradient;
pub use matrices::{Direction, Matrices};
pub use tape::{Keep, Tape};

use crate::{
    backend::{Cpu, Heads},
    decoder::Decoder,
    parallel::Means,
    weights::{FlatParts, Layout, Weights},
    Error, Result,
};
use agorai_exact::rope::RopeTable;
use agorai_primitives::model::Architecture;
use block::BlockRef;
pub(crate) use block::EPS;

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

/// Everything that a forward pass reads.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The sizes.
    pub shape: Shape,
    /// All parameters.
    pub values: &'a [f32],
    /// Where each tensor stands.
    pub layout: &'a Layout,
    /// The matrices, packed forward.
    pub matrices: &'a Matrices,
    /// The rotary angles.
    pub rope: &'a RopeTable,
}

impl<'a> View<'a> {
    fn block(&self, layer: usize) -> BlockRef<'a> {
        BlockRef {
            values: self.values,
            places: &self.layout.blocks[layer],
            matrices: &self.matrices.blocks[layer],
        }
    }

    fn layers(&self) -> usize {
        self.layout.blocks.len()
    }

    fn embedding(&self) -> &'a [f32] {
        &self.values[self.layout.embedding.clone()]
    }

    fn norm(&self) -> &'a [f32] {
        &self.values[self.layout.norm.clone()]
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
pub fn rope(a: &Architecture) -> Result<RopeTable> {
    Ok(RopeTable::new(
        a.head_dim() as usize,
        a.rope_theta as f32,
        a.context as usize,
    )?)
}
