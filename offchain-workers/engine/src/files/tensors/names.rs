// SPDX-License-Identifier: Apache-2.0
//! Parts of a model: which there are, their shapes, and their names in files.

use crate::files::{
    config::{Family, RopeScaling},
    ModelConfig,
};

/// A part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Token embedding, `[vocab, dim]`.
    Embedding,
    /// A part of one block.
    Block(usize, BlockPart),
    /// Final norm, `[dim]`.
    Norm,
    /// Head, `[vocab, dim]`; there is none where it is the embedding.
    Head,
    /// Divisors of rope's frequencies, `[head_dim / 2]`.
    RopeDivisors,
}

/// A part of a block. `q` is `heads * head_dim`, `kv` is `kv_heads * head_dim`.
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
    /// Bias of queries, `[q]`.
    QueryBias,
    /// Bias of keys, `[kv]`.
    KeyBias,
    /// Bias of values, `[kv]`.
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

    fn gguf_name(self) -> &'static str {
        match self {
            AttentionNorm => "attn_norm.weight",
            Query => "attn_q.weight",
            Key => "attn_k.weight",
            Value => "attn_v.weight",
            QueryBias => "attn_q.bias",
            KeyBias => "attn_k.bias",
            ValueBias => "attn_v.bias",
            QueryNorm => "attn_q_norm.weight",
            KeyNorm => "attn_k_norm.weight",
            Output => "attn_output.weight",
            PostAttentionNorm => "post_attention_norm.weight",
            FfNorm => "ffn_norm.weight",
            Gate => "ffn_gate.weight",
            Up => "ffn_up.weight",
            Down => "ffn_down.weight",
            PostFfNorm => "post_ffw_norm.weight",
        }
    }

    fn folder_name(self, family: Family) -> &'static str {
        match self {
            AttentionNorm => "input_layernorm.weight",
            Query => "self_attn.q_proj.weight",
            Key => "self_attn.k_proj.weight",
            Value => "self_attn.v_proj.weight",
            QueryBias => "self_attn.q_proj.bias",
            KeyBias => "self_attn.k_proj.bias",
            ValueBias => "self_attn.v_proj.bias",
            QueryNorm => "self_attn.q_norm.weight",
            KeyNorm => "self_attn.k_norm.weight",
            Output => "self_attn.o_proj.weight",
            // Elsewhere this name is that of the norm before the feed-forward layer.
            PostAttentionNorm => "post_attention_layernorm.weight",
            FfNorm if family == Family::Gemma3 => "pre_feedforward_layernorm.weight",
            FfNorm => "post_attention_layernorm.weight",
            Gate => "mlp.gate_proj.weight",
            Up => "mlp.up_proj.weight",
            Down => "mlp.down_proj.weight",
            PostFfNorm => "post_feedforward_layernorm.weight",
        }
    }
}

impl Part {
    /// All parts of a configuration.
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

    /// Rows and elements of a row; vectors are one row.
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

    /// Whether it is a norm's weight.
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

    /// Whether it has one dimension.
    pub fn is_vector(self) -> bool {
        let bias = matches!(self, Part::Block(_, QueryBias | KeyBias | ValueBias));
        bias || self.is_norm() || self == Part::RopeDivisors
    }

    /// Its name in a GGUF file.
    pub fn gguf_name(self) -> String {
        match self {
            Part::Embedding => "token_embd.weight".into(),
            Part::Norm => "output_norm.weight".into(),
            Part::Head => "output.weight".into(),
            Part::RopeDivisors => "rope_freqs.weight".into(),
            Part::Block(layer, part) => format!("blk.{layer}.{}", part.gguf_name()),
        }
    }

    /// Its name in a folder of Hugging Face.
    pub fn folder_name(self, family: Family) -> String {
        match self {
            Part::Embedding => "model.embed_tokens.weight".into(),
            Part::Norm => "model.norm.weight".into(),
            Part::Head => "lm_head.weight".into(),
            // Only GGUF files have it: folders give the scaling in the configuration.
            Part::RopeDivisors => "model.rope_freqs.weight".into(),
            Part::Block(layer, part) => {
                format!("model.layers.{layer}.{}", part.folder_name(family))
            }
        }
    }
}
