// SPDX-License-Identifier: Apache-2.0
//! The names of a model's tensors in GGUF files and in Hugging Face folders.

use crate::config::{
    BlockPart::{self, *},
    Family, Part,
};

impl Part {
    /// Returns the name in a GGUF file.
    pub fn gguf_name(self) -> String {
        match self {
            Part::Embedding => "token_embd.weight".into(),
            Part::Norm => "output_norm.weight".into(),
            Part::Head => "output.weight".into(),
            Part::RopeDivisors => "rope_freqs.weight".into(),
            Part::Block(layer, part) => format!("blk.{layer}.{}", gguf_block_name(part)),
        }
    }

    /// Returns the name in a Hugging Face folder.
    pub fn folder_name(self, family: Family) -> String {
        match self {
            Part::Embedding => "model.embed_tokens.weight".into(),
            Part::Norm => "model.norm.weight".into(),
            Part::Head => "lm_head.weight".into(),
            // Only GGUF files have it: folders give the scaling in the configuration.
            Part::RopeDivisors => "model.rope_freqs.weight".into(),
            Part::Block(layer, part) => {
                format!("model.layers.{layer}.{}", folder_block_name(part, family))
            }
        }
    }
}

fn gguf_block_name(part: BlockPart) -> &'static str {
    match part {
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

fn folder_block_name(part: BlockPart, family: Family) -> &'static str {
    match part {
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
