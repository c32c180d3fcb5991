// SPDX-License-Identifier: Apache-2.0
//! The configuration of a chain model.

use super::{
    model::{Activation, Family, ModelConfig},
    rope::{Rope, RopeScaling},
};
use agorai_primitives::model::Architecture;

/// Epsilon of the RMS norms of chain models, Llama's value.
const NORM_EPS: f32 = 1e-5;

impl From<&Architecture> for ModelConfig {
    /// Describes a chain model, a Llama with untied head and without biases. The architecture must be
    /// [valid](Architecture::validate).
    fn from(architecture: &Architecture) -> Self {
        let [vocab, dim, layers, heads, kv_heads, head_dim, ff, context] = [
            architecture.vocab,
            architecture.dim,
            architecture.layers,
            architecture.heads,
            architecture.kv_heads,
            architecture.head_dim(),
            architecture.ff,
            architecture.context,
        ]
        .map(|size| size as usize);
        Self {
            family: Family::Llama,
            vocab,
            dim,
            layers,
            heads,
            kv_heads,
            head_dim,
            ff,
            context,
            norm_eps: NORM_EPS,
            rope: Rope {
                theta: architecture.rope_theta as f32,
                local_theta: None,
                scaling: RopeScaling::None,
            },
            // The square root and the division are correctly rounded.
            query_scale: 1.0 / (head_dim as f32).sqrt(),
            activation: Activation::Silu,
            qkv_bias: false,
            qk_norm: false,
            post_norms: false,
            embedding_scale: 1.0,
            tied_head: false,
            window: None,
            local: vec![false; layers],
            bos: None,
            ends: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Part;

    #[test]
    fn tensors_of_a_chain_model_hold_its_parameters() {
        for architecture in [
            Architecture::SMALL,
            Architecture {
                kv_heads: 2,
                ff: 100,
                ..Architecture::SMALL
            },
        ] {
            let config = ModelConfig::from(&architecture);
            let size = |part: Part| {
                let (rows, row) = part.shape(&config);
                (rows * row) as u64
            };
            assert_eq!(Part::all(&config).map(size).sum::<u64>(), architecture.parameters());
        }
    }
}
