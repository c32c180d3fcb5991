// SPDX-License-Identifier: Apache-2.0
//! A Llama-style decoder on the exact operations.
//!
//! | module | what is in it |
//! |---|---|
//! | `matrices` | the weights packed for the kernels |
//! | `block` | one block before and after its attention |
//! | `attention` | attention of all heads, forward and backward |
//! | `session` | inference with a memory of keys and values |
//! | `tape` | forward and backward of a training sequence |

mod attention;
mod block;
mod matrices;
mod session;
mod tape;

pub use matrices::{Direction, Matrices};
pub use session::Session;
pub(crate) use session::TOGETHER;
pub use tape::{accumulate, Tape};

use crate::{
    parallel::Means,
    weights::{Layout, Weights},
    Error, Result,
};
use agorai_exact::rope::RopeTable;
use agorai_primitives::model::Architecture;
use block::BlockRef;
use std::sync::Arc;

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

    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
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

/// Weights ready for inference.
#[derive(Clone, Debug)]
pub struct Model {
    weights: Weights,
    shape: Shape,
    matrices: Matrices,
    rope: Arc<RopeTable>,
}

impl Model {
    /// Packs weights, whose architecture must be valid.
    pub fn new(means: Means, weights: Weights) -> Result<Self> {
        let shape = Shape::new(&weights.architecture);
        let rope = Arc::new(rope(&weights.architecture)?);
        let mut model = Self {
            weights,
            shape,
            matrices: Matrices::default(),
            rope,
        };
        model.pack(means)?;
        Ok(model)
    }

    /// The same model with other parameters.
    pub fn with_values(&self, means: Means, values: Vec<f32>) -> Result<Self> {
        if values.len() != self.weights.values.len() {
            return Err(Error::Weights("another number of parameters".into()));
        }
        let mut model = Self {
            weights: Weights {
                architecture: self.weights.architecture,
                layout: self.weights.layout.clone(),
                values,
                tokenizer: self.weights.tokenizer,
            },
            shape: self.shape,
            matrices: Matrices::default(),
            rope: self.rope.clone(),
        };
        model.pack(means)?;
        Ok(model)
    }

    fn pack(&mut self, means: Means) -> Result<()> {
        self.matrices.pack(
            means,
            &self.shape,
            &self.weights.layout,
            &self.weights.values,
            Direction::Forward,
        )
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What a forward pass reads.
    pub fn view(&self) -> View<'_> {
        View {
            shape: self.shape,
            values: &self.weights.values,
            layout: &self.weights.layout,
            matrices: &self.matrices,
            rope: &self.rope,
        }
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
