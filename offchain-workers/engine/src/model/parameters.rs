// SPDX-License-Identifier: Apache-2.0
//! The parameters of a model as the operations of training read them.

use super::Shape;
use crate::{
    backend::{Packing, TrainingBackend},
    decoder::block::{Block, Matrices},
    weights::Layout,
    Result,
};

/// Norms, and matrices ready for the products on the way and on the way back.
pub struct Parameters<B: TrainingBackend> {
    pub embedding: B::Matrix,
    pub blocks: Vec<Block<B>>,
    pub norm: B::Rows,
    pub head: B::Matrix,
    /// The matrices of each block, transposed: `dx = dy W`.
    pub back: Vec<Matrices<B::Matrix>>,
    /// The head, transposed.
    pub head_back: B::Matrix,
}

impl<B: TrainingBackend> Default for Parameters<B> {
    fn default() -> Self {
        Self {
            embedding: Default::default(),
            blocks: Vec::new(),
            norm: Default::default(),
            head: Default::default(),
            back: Vec::new(),
            head_back: Default::default(),
        }
    }
}

impl<B: TrainingBackend> Parameters<B> {
    /// Takes in `values`, in the layout's order; the memory of earlier ones is used again.
    pub fn pack(&mut self, backend: &B, shape: &Shape, layout: &Layout, values: &B::Rows) -> Result<()> {
        let (dim, ff, count) = (shape.dim, shape.ff, layout.blocks.len());
        self.blocks.resize_with(count, empty);
        self.back.resize_with(count, Matrices::default);
        backend.part(values, layout.norm.clone(), &mut self.norm)?;
        let mut all = vec![
            (&mut self.embedding, &layout.embedding, dim, false),
            (&mut self.head, &layout.head, dim, false),
            (&mut self.head_back, &layout.head, dim, true),
        ];
        let blocks = self.blocks.iter_mut().zip(&mut self.back);
        for ((block, back), places) in blocks.zip(&layout.blocks) {
            let (norm, place) = (&mut block.attention_norm, &places.attention_norm);
            backend.part(values, place.clone(), norm)?;
            backend.part(values, places.ff_norm.clone(), &mut block.ff_norm)?;
            for (m, transposed) in [(&mut block.matrices, false), (back, true)] {
                all.extend([
                    (&mut m.query, &places.query, dim, transposed),
                    (&mut m.key, &places.key, dim, transposed),
                    (&mut m.value, &places.value, dim, transposed),
                    (&mut m.output, &places.output, dim, transposed),
                    (&mut m.gate, &places.gate, dim, transposed),
                    (&mut m.up, &places.up, dim, transposed),
                    (&mut m.down, &places.down, ff, transposed),
                ]);
            }
        }
        let packing = |(matrix, place, width, transposed)| {
            let place = std::ops::Range::clone(place);
            Packing {
                rows: values,
                place,
                width,
                transposed,
                matrix,
            }
        };
        backend.pack(all.into_iter().map(packing).collect())
    }
}

/// A block of a chain's model, before its parameters are taken in.
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
