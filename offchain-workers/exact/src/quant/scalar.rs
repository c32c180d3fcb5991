// SPDX-License-Identifier: Apache-2.0
//! The scalar reference, which follows the definition literally.

use super::accumulators::Accumulators;
use super::block::{BLOCK, BLOCK_CODES, QUAD};
use super::chunked::ChunkProduct;
use crate::fma::fma;
use crate::matmul::PANEL;

/// Adds a chunk to the accumulators.
pub(super) fn multiply_chunk(p: &ChunkProduct<'_>, accumulators: &mut Accumulators<'_>) -> bool {
    let &ChunkProduct { x, first, w, .. } = p;
    let group = BLOCK / w.groups;
    let blocks = x.k / BLOCK;
    let mut nan = false;
    for row in 0..accumulators.rows() {
        let mut acc = accumulators.load(row);
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
        nan |= accumulators.store(row, acc);
    }
    nan
}
