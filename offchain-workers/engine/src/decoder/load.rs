// SPDX-License-Identifier: Apache-2.0
//! A decoder, loaded from a source of weights.

use super::block::{Block, Head, Matrices};
use crate::{
    backend::{Backend, Cpu},
    config::{BlockPart, ModelConfig, Part, RopeScaling},
    error::Result,
    weights::WeightSource,
};

/// A model whose weights a backend holds, ready for sessions.
pub struct Decoder<B: Backend = Cpu> {
    pub(super) backend: B,
    pub(super) config: ModelConfig,
    /// `[vocab, dim]`.
    pub(super) embedding: B::Matrix,
    pub(super) blocks: Vec<Block<B>>,
    /// Weight of the final norm, `[dim]`.
    norm: B::Rows,
    /// `[vocab, dim]`; `None` = the embedding matrix.
    head: Option<B::Matrix>,
    /// Rotary frequencies of global layers, `[head_dim / 2]`.
    pub(super) frequencies: Vec<f32>,
    /// Rotary frequencies of local layers, `[head_dim / 2]`.
    pub(super) local_frequencies: Vec<f32>,
}

impl<B: Backend> Decoder<B> {
    /// Loads the weights of a model, tensor by tensor. `on_block` is called after every block.
    pub fn load(backend: B, source: &dyn WeightSource, on_block: &mut dyn FnMut()) -> Result<Self> {
        let config = source.config().clone();
        let matrix = |part| backend.load_matrix(&mut *source.matrix(part)?);
        let vector = |part| backend.upload(source.vector(part)?);
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            let matrix = |part| matrix(Part::Block(layer, part));
            let vector = |part| vector(Part::Block(layer, part));
            let optional = |exists: bool, part| exists.then(|| vector(part)).transpose();
            let bias = match config.qkv_bias {
                true => Some([
                    vector(BlockPart::QueryBias)?,
                    vector(BlockPart::KeyBias)?,
                    vector(BlockPart::ValueBias)?,
                ]),
                false => None,
            };
            let head_norms = match config.qk_norm {
                true => Some([vector(BlockPart::QueryNorm)?, vector(BlockPart::KeyNorm)?]),
                false => None,
            };
            blocks.push(Block {
                local: config.local[layer],
                attention_norm: vector(BlockPart::AttentionNorm)?,
                matrices: Matrices::try_build(matrix)?,
                bias,
                head_norms,
                post_attention_norm: optional(config.post_norms, BlockPart::PostAttentionNorm)?,
                ff_norm: vector(BlockPart::FfNorm)?,
                post_ff_norm: optional(config.post_norms, BlockPart::PostFfNorm)?,
            });
            on_block();
        }
        let divisors = match config.rope.scaling {
            RopeScaling::Divisors => source.vector(Part::RopeDivisors)?,
            _ => Vec::new(),
        };
        Ok(Self {
            embedding: matrix(Part::Embedding)?,
            norm: vector(Part::Norm)?,
            head: (!config.tied_head).then(|| matrix(Part::Head)).transpose()?,
            frequencies: config.rope.frequencies(config.head_dim, &divisors)?,
            local_frequencies: config.rope.local_frequencies(config.head_dim)?,
            blocks,
            config,
            backend,
        })
    }

    /// Returns the configuration of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the number of tokens of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.config.vocab
    }

    /// Returns the maximum number of positions of a session.
    pub fn context(&self) -> usize {
        self.config.context
    }

    /// Returns the output head.
    pub(super) fn head(&self) -> Head<'_, B> {
        Head {
            norm: &self.norm,
            eps: self.config.norm_eps,
            matrix: self.head.as_ref().unwrap_or(&self.embedding),
        }
    }
}
