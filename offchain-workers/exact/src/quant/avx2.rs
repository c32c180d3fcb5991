// SPDX-License-Identifier: Apache-2.0
//! AVX2: products of bytes are added in pairs, then the pairs in pairs.
//!
//! `maddubs` multiplies unsigned by signed bytes and saturates the sum of two products at 16 bits. With
//! |c - z| (at most 128) as the unsigned and q with the sign of c - z as the signed operand, a sum is at
//! most 2 * 128 * 127 in magnitude and never saturates.

use core::arch::x86_64::*;

use super::accumulators::Accumulators;
use super::block::{BLOCK, BLOCK_CODES, QUAD};
use super::chunked::ChunkProduct;
use super::prefetch::Prefetch;
use crate::matmul::PANEL;

/// The number of vectors of a panel's outputs.
const VECTORS: usize = PANEL / 8;
/// The size of a plane in bytes.
const PLANE: usize = PANEL * QUAD;

product_by_chunk!("avx2,fma", false, {});

/// Adds a chunk to the accumulators.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_chunk(p: &ChunkProduct<'_>, accumulators: &mut Accumulators<'_>) -> bool {
    let &ChunkProduct { x, first, w, next } = p;
    let blocks = x.k / BLOCK;
    let quads = BLOCK / QUAD / w.groups;
    let zero = _mm256_set1_epi8(w.zero as u8 as i8);
    let ones = _mm256_set1_epi16(1);
    let mut prefetch = Prefetch::new(next, accumulators.rows());
    let mut nan = false;
    for row in 0..accumulators.rows() {
        prefetch.step();
        let mut acc = accumulators.load(row);
        let mut out = [_mm256_setzero_ps(); VECTORS];
        for (out, acc) in out.iter_mut().zip(acc.chunks_exact(8)) {
            // SAFETY: the slice has eight elements.
            *out = unsafe { _mm256_loadu_ps(acc.as_ptr()) };
        }
        for block in 0..w.blocks {
            let at = row * blocks + first + block;
            let d = _mm256_set1_ps(x.d[at]);
            let q = &x.q[row * x.k + (first + block) * BLOCK..][..BLOCK];
            for group in 0..w.groups {
                let mut dots = [_mm256_setzero_si256(); VECTORS];
                for quad in group * quads..(group + 1) * quads {
                    let four = &q[quad * QUAD..][..QUAD];
                    let four = i32::from_le_bytes([four[0], four[1], four[2], four[3]].map(|q| q as u8));
                    let four = _mm256_set1_epi32(four);
                    let line = (block * BLOCK_CODES + quad * PLANE) / 64;
                    let lines = &w.codes[line..][..PLANE / 64];
                    for (v, dots) in dots.iter_mut().enumerate() {
                        let codes = &lines[v / 2].0[32 * (v % 2)..][..32];
                        // SAFETY: the slice has 32 bytes.
                        let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
                        let c = _mm256_sub_epi8(codes, zero);
                        let signed = _mm256_sign_epi8(four, c);
                        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(c), signed);
                        *dots = _mm256_add_epi32(*dots, _mm256_madd_epi16(pairs, ones));
                    }
                }
                let scales = &w.scales[block * w.groups + group].0;
                for ((out, dots), scale) in out.iter_mut().zip(dots).zip(scales.chunks_exact(8)) {
                    // SAFETY: the slice has eight elements.
                    let scale = unsafe { _mm256_loadu_ps(scale.as_ptr()) };
                    let both = _mm256_mul_ps(d, scale);
                    *out = _mm256_fmadd_ps(both, _mm256_cvtepi32_ps(dots), *out);
                }
            }
            if let Some(mins) = w.mins.get(block) {
                let sum = _mm256_set1_ps((x.sums[2 * at] + x.sums[2 * at + 1]) as f32);
                for (out, min) in out.iter_mut().zip(mins.0.chunks_exact(8)) {
                    // SAFETY: the slice has eight elements.
                    let min = unsafe { _mm256_loadu_ps(min.as_ptr()) };
                    *out = _mm256_fnmadd_ps(_mm256_mul_ps(d, min), sum, *out);
                }
            }
        }
        for (out, acc) in out.iter().zip(acc.chunks_exact_mut(8)) {
            // SAFETY: the slice has eight elements.
            unsafe { _mm256_storeu_ps(acc.as_mut_ptr(), *out) };
        }
        nan |= accumulators.store(row, acc);
    }
    nan
}
