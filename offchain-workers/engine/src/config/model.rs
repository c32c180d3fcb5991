// SPDX-License-Identifier: Apache-2.0
//! The sizes and settings of a decoder.

use super::rope::Rope;

/// A model family that the decoder supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama 2 and 3, TinyLlama, SmolLM2, Mistral.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3.
    Qwen3,
    /// Gemma 3, text only.
    Gemma3,
}

/// The activation function of the gate in the feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// SiLU: `x * sigmoid(x)`.
    Silu,
    /// GELU in its tanh approximation.
    GeluTanh,
}

/// The heads of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Number of query heads.
    pub query: usize,
    /// Number of key and value heads; divides `query`.
    pub key: usize,
    /// Elements of a head.
    pub width: usize,
    /// Factor of the attention scores.
    pub scale: f32,
    /// Number of positions that a query attends to, its own included; `None` = all positions up to its own.
    pub window: Option<usize>,
}

impl Heads {
    /// Returns the elements of all query heads of a row.
    pub fn query_width(&self) -> usize {
        self.query * self.width
    }

    /// Returns the elements of all key heads of a row.
    pub fn key_width(&self) -> usize {
        self.key * self.width
    }

    /// Returns the number of query heads that share a key head.
    pub fn group(&self) -> usize {
        self.query / self.key
    }
}

/// The sizes and settings of a decoder. Of a file they are within bounds that any machine can allocate, of a chain
/// model within those of [`Architecture::validate`](agorai_primitives::model::Architecture::validate).
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The model family.
    pub family: Family,
    /// Number of tokens of the vocabulary.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of query heads.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head, an even number; `heads * head_dim` may differ from `dim`.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub ff: usize,
    /// Maximum number of positions of a sequence.
    pub context: usize,
    /// Epsilon of the RMS norms, added to the mean square.
    pub norm_eps: f32,
    /// Rotary position embedding.
    pub rope: Rope,
    /// Factor of the attention scores.
    pub query_scale: f32,
    /// Activation function of the feed-forward layer.
    pub activation: Activation,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether each query and key head is normalised before the rotary embedding.
    pub qk_norm: bool,
    /// Whether the outputs of attention and of the feed-forward layer are normalised before they are added to the
    /// residual stream.
    pub post_norms: bool,
    /// Factor of the token embeddings; 1 = unscaled.
    pub embedding_scale: f32,
    /// Whether the output head shares the embedding matrix.
    pub tied_head: bool,
    /// Number of positions that a query of a local layer attends to, its own included.
    pub window: Option<usize>,
    /// Whether each layer is local (attends to the window only); all false without a window.
    pub local: Vec<bool>,
    /// The beginning-of-sequence token, if the file names one.
    pub bos: Option<u32>,
    /// The end-of-answer tokens that the configuration names.
    pub ends: Vec<u32>,
}

impl ModelConfig {
    /// Returns the elements of all query heads of a row.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Returns the elements of all key heads of a row.
    pub fn key_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Returns the attention heads of a local or of a global layer.
    pub fn attention_heads(&self, local: bool) -> Heads {
        Heads {
            query: self.heads,
            key: self.kv_heads,
            width: self.head_dim,
            scale: self.query_scale,
            window: self.window.filter(|_| local),
        }
    }
}
