// SPDX-License-Identifier: Apache-2.0
//! A chain model's weights as the parts of a decoder.

use super::{Layout, Weights};
use crate::{
    backend::MatrixRows,
    decoder::Parts,
    files::{
        config::{Activation, Family, Rope, RopeScaling},
        BlockPart, ElementType, ModelConfig, Part,
    },
    model::{Shape, EPS},
    Error, Result,
};
use agorai_primitives::model::Architecture;
use std::ops::Range;

/// What a decoder must know of an architecture.
pub(crate) fn config(architecture: &Architecture) -> ModelConfig {
    let shape = Shape::new(architecture);
    let layers = architecture.layers as usize;
    ModelConfig {
        family: Family::Llama,
        vocab: shape.vocab,
        dim: shape.dim,
        layers,
        heads: shape.heads,
        kv_heads: shape.kv_heads,
        head_dim: shape.head,
        ff: shape.ff,
        context: shape.context,
        norm_eps: EPS,
        rope: Rope {
            theta: architecture.rope_theta as f32,
            local_theta: None,
            scaling: RopeScaling::None,
        },
        query_scale: shape.heads().scale,
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

/// Parameters with the configuration that says what they are.
pub(crate) struct FlatParts<'a> {
    layout: &'a Layout,
    values: &'a [f32],
    config: ModelConfig,
}

impl<'a> FlatParts<'a> {
    pub(crate) fn new(weights: &'a Weights) -> Self {
        Self {
            layout: &weights.layout,
            values: &weights.values,
            config: config(&weights.architecture),
        }
    }

    fn range(&self, part: Part) -> Option<&Range<usize>> {
        let layout = self.layout;
        let (layer, part) = match part {
            Part::Embedding => return Some(&layout.embedding),
            Part::Norm => return Some(&layout.norm),
            Part::Head => return Some(&layout.head),
            Part::Block(layer, part) => (layer, part),
            Part::RopeDivisors => return None,
        };
        let block = layout.blocks.get(layer)?;
        Some(match part {
            BlockPart::AttentionNorm => &block.attention_norm,
            BlockPart::Query => &block.query,
            BlockPart::Key => &block.key,
            BlockPart::Value => &block.value,
            BlockPart::Output => &block.output,
            BlockPart::FfNorm => &block.ff_norm,
            BlockPart::Gate => &block.gate,
            BlockPart::Up => &block.up,
            BlockPart::Down => &block.down,
            _ => return None,
        })
    }

    fn values(&self, part: Part) -> Result<&[f32]> {
        self.range(part)
            .and_then(|range| self.values.get(range.clone()))
            .ok_or_else(|| Error::Weights(format!("{part:?} is missing")))
    }
}

impl Parts for FlatParts<'_> {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn matrix(&self, part: Part) -> Result<Box<dyn MatrixRows + '_>> {
        let values = self.values(part)?;
        let k = match part {
            Part::Block(_, BlockPart::Down) => self.config.ff,
            _ => self.config.dim,
        };
        Ok(Box::new(FlatRows { values, k }))
    }

    fn vector(&self, part: Part) -> Result<Vec<f32>> {
        Ok(self.values(part)?.to_vec())
    }
}

struct FlatRows<'a> {
    values: &'a [f32],
    k: usize,
}

impl MatrixRows for FlatRows<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.values.len() / self.k.max(1), self.k)
    }

    fn element(&self) -> ElementType {
        ElementType::F32
    }

    fn read(&mut self, first: usize, count: usize, to: &mut Vec<u8>) -> Result<()> {
        let rows = self.values.get(first * self.k..(first + count) * self.k);
        to.clear();
        super::extend_le_bytes(to, rows.ok_or(agorai_exact::Error::Shape)?);
        Ok(())
    }
}
