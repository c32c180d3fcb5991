// SPDX-License-Identifier: Apache-2.0
//! The parameters of a model, packed for the forward and the backward pass.

use crate::{
    backend::{Packing, TrainingBackend},
    config::{BlockPart, ModelConfig, Part},
    decoder::block::{Block, Matrices, Positions},
    error::Result,
    weights::Layout,
};

/// Everything that the forward and the backward pass read.
pub(crate) struct View<'a, B: TrainingBackend> {
    /// The configuration.
    pub config: &'a ModelConfig,
    /// The range of each tensor in the parameters.
    pub layout: &'a Layout,
    /// All parameters.
    pub parameters: &'a Parameters<B>,
    /// The rotary angles.
    pub angles: &'a B::Angles,
}

impl<B: TrainingBackend> View<'_, B> {
    /// Returns a block, and its transposed matrices.
    pub fn block(&self, layer: usize) -> (&Block<B>, &Matrices<B::Matrix>) {
        let p = self.parameters;
        (&p.blocks[layer], &p.transposed[layer])
    }

    /// Returns the number of blocks.
    pub fn layers(&self) -> usize {
        self.parameters.blocks.len()
    }

    /// Returns the positions of a whole sequence.
    pub fn positions(&self) -> Positions<'_, B> {
        Positions {
            heads: self.config.attention_heads(false),
            offset: 0,
            angles: self.angles,
        }
    }
}

/// Norms, and matrices packed for the products of the forward and the backward pass.
pub struct Parameters<B: TrainingBackend> {
    pub embedding: B::Matrix,
    pub blocks: Vec<Block<B>>,
    pub norm: B::Rows,
    pub head: B::Matrix,
    /// The transposed matrices of each block, for `dx = dy W`.
    pub transposed: Vec<Matrices<B::Matrix>>,
    /// The transposed matrix of the head.
    pub head_transposed: B::Matrix,
}

impl<B: TrainingBackend> Default for Parameters<B> {
    fn default() -> Self {
        Self {
            embedding: Default::default(),
            blocks: Vec::new(),
            norm: Default::default(),
            head: Default::default(),
            transposed: Vec::new(),
            head_transposed: Default::default(),
        }
    }
}

impl<B: TrainingBackend> Parameters<B> {
    /// Packs `values`, in the layout's order; the memory of earlier parameters is reused.
    pub fn pack(&mut self, backend: &B, config: &ModelConfig, layout: &Layout, values: &B::Rows) -> Result<()> {
        self.blocks.resize_with(config.layers, empty);
        self.transposed.resize_with(config.layers, Matrices::default);
        backend.slice(values, layout.range(Part::Norm)?, &mut self.norm)?;
        let mut matrices = vec![
            (&mut self.embedding, Part::Embedding, false),
            (&mut self.head, Part::Head, false),
            (&mut self.head_transposed, Part::Head, true),
        ];
        let blocks = self.blocks.iter_mut().zip(&mut self.transposed);
        for (layer, (block, transposed)) in blocks.enumerate() {
            let norms = [
                (BlockPart::AttentionNorm, &mut block.attention_norm),
                (BlockPart::FfNorm, &mut block.ff_norm),
            ];
            for (part, norm) in norms {
                backend.slice(values, layout.range(Part::Block(layer, part))?, norm)?;
            }
            for (block, transposed) in [(&mut block.matrices, false), (transposed, true)] {
                let parts = block.parts_mut().into_iter();
                matrices.extend(parts.map(|(part, matrix)| (matrix, Part::Block(layer, part), transposed)));
            }
        }
        let packing = |(matrix, part, transposed): (_, Part, _)| -> Result<Packing<'_, B>> {
            let (_, width) = part.shape(config);
            Ok(Packing {
                rows: values,
                range: layout.range(part)?,
                width,
                transposed,
                matrix,
            })
        };
        backend.pack(matrices.into_iter().map(packing).collect::<Result<_>>()?)
    }
}

/// Returns a block of a chain model without parameters.
fn empty<B: TrainingBackend>() -> Block<B> {
    Block {
        local: false,
        attention_norm: Default::default(),
        matrices: Default::default(),
        bias: None,
        head_norms: None,
        post_attention_norm: None,
        ff_norm: Default::default(),
        post_ff_norm: None,
    }
}
