// SPDX-License-Identifier: Apache-2.0
//! The scalar reference: the definition, literally.

use super::accumulators::Accumulators;
use super::block::{Left, BLOCK, BLOCK_CODES, QUAD};
use super::matrix::PackedBlocks;
use super::unpack::Chunk;
use crate::fma::fma;
use crate::matmul::PANEL;

/// Continues the sums of rows with blocks `first ..` of their inputs.
pub(super) fn multiply_chunk(
    x: &Left<'_>,
    first: usize,
    w: &Chunk<'_>,
    _next: &PackedBlocks<'_>,
    sums: &mut Accumulators<'_>,
) -> bool {
    let group = BLOCK / w.groups;
    let blocks = x.k / BLOCK;
    let mut nan = false;
    for row in 0..sums.rows() {
        let mut acc = sums.get(row);
        for (o, acc) in acc.iter_mut().enumerate() {
            for block in 0..w.blocks {
                let d = x.d[row * blocks + first + block];
                let q = &x.q[row * x.k + (first + block) * BLOCK..][..BLOCK];
                for (part, q) in q.chunks_exact(group).enumerate() {
                    let mut dot = 0i32;
                    for (i, q) in q.iter().enumerate() {
                        let k = part * group + i;
                        let at = block * BLOCK_CODES + k / QUAD * PANEL * QUAD + o * QUAD + k % QUAD;
                        let code = i32::from(w.codes[at / 64].0[at % 64]);
                        dot += (code - w.zero) * i32::from(*q);
                    }
                    let s = w.scales[block * w.groups + part].0[o];
                    *acc = fma(d * s, dot as f32, *acc);
                }
                if let Some(mins) = w.mins.get(block) {
                    let sum: i32 = q.iter().map(|q| i32::from(*q)).sum();
                    *acc = fma(-(d * mins.0[o]), sum as f32, *acc);
                }
            }
        }
        nan |= sums.set(row, acc);
    }
    nan
}
