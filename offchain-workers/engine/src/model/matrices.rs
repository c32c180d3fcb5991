// SPDX-License-Identifier: Apache-2.0
//! The matrices of a model, packed for the kernels.

use super::Shape;
use crate::{
    parallel::Means,
    weights::{Block, Layout},
    Result,
};
use agorai_exact::PackedMatrix;
use std::ops::Range;

/// The packed matrices of one block.
#[derive(Clone, Debug, Default)]
pub struct BlockMatrices {
    pub query: PackedMatrix,
    pub key: PackedMatrix,
    pub value: PackedMatrix,
    pub output: PackedMatrix,
    pub gate: PackedMatrix,
    pub up: PackedMatrix,
    pub down: PackedMatrix,
}

/// The packed matrices of a model.
#[derive(Clone, Debug, Default)]
pub struct Matrices {
    /// One for each block.
    pub blocks: Vec<BlockMatrices>,
    /// The head.
    pub head: PackedMatrix,
}

/// Which product the matrices are packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `y = x W^T`.
    Forward,
    /// `dx = dy W`.
    Backward,
}

impl Matrices {
    /// Packs all matrices of `values`; the memory of an earlier packing is used again.
    pub fn pack(
        &mut self,
        means: Means,
        shape: &Shape,
        layout: &Layout,
        values: &[f32],
        direction: Direction,
    ) -> Result<()> {
        let Shape {
            dim, ff, vocab, kv, ..
        } = *shape;
        self.blocks
            .resize_with(layout.blocks.len(), BlockMatrices::default);
        let mut all: Vec<(&mut PackedMatrix, usize, usize, &Range<usize>)> = Vec::new();
        for (packed, block) in self.blocks.iter_mut().zip(&layout.blocks) {
            let Block {
                query,
                key,
                value,
                output,
                gate,
                up,
                down,
                ..
            } = block;
            all.push((&mut packed.query, dim, dim, query));
            all.push((&mut packed.key, kv, dim, key));
            all.push((&mut packed.value, kv, dim, value));
            all.push((&mut packed.output, dim, dim, output));
            all.push((&mut packed.gate, ff, dim, gate));
            all.push((&mut packed.up, ff, dim, up));
            all.push((&mut packed.down, dim, ff, down));
        }
        all.push((&mut self.head, vocab, dim, &layout.head));
        means.run(all.into_iter().map(|(packed, out, input, range)| {
            move || {
                let matrix = &values[range.clone()];
                match direction {
                    Direction::Forward => packed.pack_out_in(out, input, matrix),
                    Direction::Backward => packed.pack_in_out(out, input, matrix),
                }?;
                Ok(())
            }
        }))
    }
}
