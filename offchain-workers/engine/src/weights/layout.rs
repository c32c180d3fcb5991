// SPDX-License-Identifier: Apache-2.0
//! Where each tensor of a model stands in its flat run of parameters.
//!
//! The order is that of the computation (embedding, blocks, final norm, head) and is part of every
//! hash: states, payloads and safetensors files all follow it.

use agorai_primitives::model::Architecture;
use std::ops::Range;

/// One tensor: its name in Hugging Face's Llama checkpoints, its shape, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Name, e.g. `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// `[outputs, inputs]` of a matrix, `[width]` of a norm's weight.
    pub shape: Vec<usize>,
    /// Place in the flat parameters.
    pub range: Range<usize>,
}

impl Slot {
    /// Whether it is a matrix: matrices decay under AdamW, norms do not.
    pub fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }
}

/// Places of one block's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Norm before attention, `[dim]`.
    pub attention_norm: Range<usize>,
    /// Query projection, `[dim, dim]`.
    pub query: Range<usize>,
    /// Key projection, `[kv, dim]`.
    pub key: Range<usize>,
    /// Value projection, `[kv, dim]`.
    pub value: Range<usize>,
    /// Output projection, `[dim, dim]`.
    pub output: Range<usize>,
    /// Norm before the feed-forward layer, `[dim]`.
    pub ff_norm: Range<usize>,
    /// Gate projection, `[ff, dim]`.
    pub gate: Range<usize>,
    /// Up projection, `[ff, dim]`.
    pub up: Range<usize>,
    /// Down projection, `[dim, ff]`.
    pub down: Range<usize>,
}

/// The places of all tensors of an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// All tensors in order.
    pub slots: Vec<Slot>,
    /// Token embedding, `[vocab, dim]`.
    pub embedding: Range<usize>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Final norm, `[dim]`.
    pub norm: Range<usize>,
    /// Head, `[vocab, dim]`.
    pub head: Range<usize>,
}

impl Layout {
    /// The layout of an architecture, which must be valid.
    pub fn new(architecture: &Architecture) -> Self {
        let a = architecture;
        let [vocab, dim, ff] = [a.vocab, a.dim, a.ff].map(|n| n as usize);
        let kv = (a.head_dim() * a.kv_heads) as usize;
        let mut slots = Vec::new();
        let mut end = 0;
        let mut add = |name: String, shape: &[usize]| -> Range<usize> {
            let range = end..end + shape.iter().product::<usize>();
            end = range.end;
            slots.push(Slot {
                name,
                shape: shape.to_vec(),
                range: range.clone(),
            });
            range
        };
        let embedding = add("model.embed_tokens.weight".into(), &[vocab, dim]);
        let blocks = (0..a.layers)
            .map(|layer| {
                let mut part = |name: &str, shape: &[usize]| add(format!("model.layers.{layer}.{name}.weight"), shape);
                Block {
                    attention_norm: part("input_layernorm", &[dim]),
                    query: part("self_attn.q_proj", &[dim, dim]),
                    key: part("self_attn.k_proj", &[kv, dim]),
                    value: part("self_attn.v_proj", &[kv, dim]),
                    output: part("self_attn.o_proj", &[dim, dim]),
                    ff_norm: part("post_attention_layernorm", &[dim]),
                    gate: part("mlp.gate_proj", &[ff, dim]),
                    up: part("mlp.up_proj", &[ff, dim]),
                    down: part("mlp.down_proj", &[dim, ff]),
                }
            })
            .collect();
        let norm = add("model.norm.weight".into(), &[dim]);
        let head = add("lm_head.weight".into(), &[vocab, dim]);
        Self {
            slots,
            embedding,
            blocks,
            norm,
            head,
        }
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.head.end
    }

    /// Never: every architecture has parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_covers_every_parameter_once() {
        let layout = Layout::new(&Architecture::SMALL);
        let mut end = 0;
        for slot in &layout.slots {
            assert_eq!(slot.range.start, end, "{}", slot.name);
            end = slot.range.end;
        }
        assert_eq!(end as u64, Architecture::SMALL.parameters());
        assert_eq!(layout.len(), end);
    }
}
