// SPDX-License-Identifier: Apache-2.0
//! The tensors of a model and their shapes, `[rows, row]`.

use super::{model::ModelConfig, rope::RopeScaling};

/// A tensor of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Token embedding, `[vocab, dim]`.
    Embedding,
    /// A tensor of a block.
    Block(usize, BlockPart),
    /// Final norm, `[dim]`.
    Norm,
    /// Output head, `[vocab, dim]`; absent if it shares the embedding.
    Head,
    /// Divisors of the rotary frequencies, `[head_dim / 2]`.
    RopeDivisors,
}

/// A tensor of a block. `q` is `heads * head_dim`, `kv` is `kv_heads * head_dim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockPart {
    /// Norm before attention, `[dim]`.
    AttentionNorm,
    /// Query projection, `[q, dim]`.
    Query,
    /// Key projection, `[kv, dim]`.
    Key,
    /// Value projection, `[kv, dim]`.
    Value,
    /// Query bias, `[q]`.
    QueryBias,
    /// Key bias, `[kv]`.
    KeyBias,
    /// Value bias, `[kv]`.
    ValueBias,
    /// Norm of each query head, `[head_dim]`.
    QueryNorm,
    /// Norm of each key head, `[head_dim]`.
    KeyNorm,
    /// Output projection, `[dim, q]`.
    Output,
    /// Norm after attention, `[dim]`.
    PostAttentionNorm,
    /// Norm before the feed-forward layer, `[dim]`.
    FfNorm,
    /// Gate projection, `[ff, dim]`.
    Gate,
    /// Up projection, `[ff, dim]`.
    Up,
    /// Down projection, `[dim, ff]`.
    Down,
    /// Norm after the feed-forward layer, `[dim]`.
    PostFfNorm,
}

use BlockPart::*;

impl BlockPart {
    const ALL: [Self; 16] = [
        AttentionNorm,
        Query,
        Key,
        Value,
        QueryBias,
        KeyBias,
        ValueBias,
        QueryNorm,
        KeyNorm,
        Output,
        PostAttentionNorm,
        FfNorm,
        Gate,
        Up,
        Down,
        PostFfNorm,
    ];

    fn is_in(self, config: &ModelConfig) -> bool {
        match self {
            QueryBias | KeyBias | ValueBias => config.qkv_bias,
            QueryNorm | KeyNorm => config.qk_norm,
            PostAttentionNorm | PostFfNorm => config.post_norms,
            _ => true,
        }
    }
}

impl Part {
    /// Returns all tensors of a model, in the order of the computation.
    pub fn all(config: &ModelConfig) -> impl Iterator<Item = Part> + '_ {
        let blocks = (0..config.layers).flat_map(|layer| {
            let parts = BlockPart::ALL.into_iter();
            parts
                .filter(|part| part.is_in(config))
                .map(move |part| Part::Block(layer, part))
        });
        let head = (!config.tied_head).then_some(Part::Head);
        let divisors = (config.rope.scaling == RopeScaling::Divisors).then_some(Part::RopeDivisors);
        core::iter::once(Part::Embedding)
            .chain(blocks)
            .chain([Part::Norm])
            .chain(head)
            .chain(divisors)
    }

    /// Returns the number of rows and of elements of a row; a tensor of one dimension has one row.
    pub fn shape(self, config: &ModelConfig) -> (usize, usize) {
        let (dim, ff) = (config.dim, config.ff);
        let q = config.heads * config.head_dim;
        let kv = config.kv_heads * config.head_dim;
        match self {
            Part::Embedding | Part::Head => (config.vocab, dim),
            Part::Norm => (1, dim),
            Part::RopeDivisors => (1, config.head_dim / 2),
            Part::Block(_, part) => match part {
                AttentionNorm | PostAttentionNorm | FfNorm | PostFfNorm => (1, dim),
                Query => (q, dim),
                Key | Value => (kv, dim),
                QueryBias => (1, q),
                KeyBias | ValueBias => (1, kv),
                QueryNorm | KeyNorm => (1, config.head_dim),
                Output => (dim, q),
                Gate | Up => (ff, dim),
                Down => (dim, ff),
            },
        }
    }

    /// Returns whether the tensor is the weight of a norm.
    pub fn is_norm(self) -> bool {
        match self {
            Part::Norm => true,
            Part::Block(_, part) => matches!(
                part,
                AttentionNorm | PostAttentionNorm | FfNorm | PostFfNorm | QueryNorm | KeyNorm
            ),
            _ => false,
        }
    }

    /// Returns whether the tensor has one dimension.
    pub fn is_vector(self) -> bool {
        let bias = matches!(self, Part::Block(_, QueryBias | KeyBias | ValueBias));
        bias || self.is_norm() || self == Part::RopeDivisors
    }
}
