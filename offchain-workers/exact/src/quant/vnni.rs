// SPDX-License-Identifier: Apache-2.0
//! AVX-512 with VNNI: one instruction multiplies four inputs with the weights of sixteen outputs.
//!
//! The codes are unsigned and contain the zero point z: the integer accumulators start at `-z * sum q` instead of
//! at zero, which gives the same integer.

use core::arch::x86_64::*;

use super::accumulators::{AccumulatorPtrs, Accumulators};
use super::block::{Left, BLOCK, BLOCK_CODES, QUAD};
use super::chunked::ChunkProduct;
use super::prefetch::Prefetch;
use super::unpack::Chunk;
use crate::matmul::PANEL;

/// The maximum number of rows of a tile.
const TILE: usize = 6;
/// The size of a plane in bytes.
const PLANE: usize = PANEL * QUAD;

product_by_chunk!("avx512f,avx512bw,avx512vnni", false, {});

/// Adds a chunk to the accumulators.
///
/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn multiply_chunk(p: &ChunkProduct<'_>, accumulators: &mut Accumulators<'_>) -> bool {
    let &ChunkProduct { x, first, w, next } = p;
    // The bounds on which the pointers below rely.
    let (rows, ptrs) = (accumulators.rows(), AccumulatorPtrs::of(accumulators));
    let blocks = x.k / BLOCK;
    assert!(x.q.len() >= rows * x.k && x.d.len() >= rows * blocks);
    assert!(x.sums.len() >= rows * 2 * blocks && first + w.blocks <= blocks);
    assert!(w.codes.len() * 64 >= w.blocks * BLOCK_CODES);
    assert!(w.scales.len() >= w.blocks * w.groups);
    assert!(w.mins.is_empty() || w.mins.len() >= w.blocks);
    let mut prefetch = Prefetch::new(next, rows.div_ceil(TILE));
    let (mut row, mut nan) = (0, false);
    while row < rows {
        prefetch.step();
        let count = TILE.min(rows - row);
        // SAFETY: rows row .. row + count exist by the checks above.
        unsafe {
            let tile = match (w.groups, count) {
                (1, 1) => tile::<1, 1>,
                (1, 2) => tile::<2, 1>,
                (1, 3) => tile::<3, 1>,
                (1, 4) => tile::<4, 1>,
                (1, 5) => tile::<5, 1>,
                (1, _) => tile::<6, 1>,
                (_, 1) => tile::<1, 2>,
                (_, 2) => tile::<2, 2>,
                (_, 3) => tile::<3, 2>,
                (_, 4) => tile::<4, 2>,
                (_, 5) => tile::<5, 2>,
                (_, _) => tile::<6, 2>,
            };
            nan |= tile(x, row, first, w, &ptrs);
        }
        row += count;
    }
    nan
}

/// Computes R rows of 32 outputs, with G groups per block. Returns whether complete accumulators are NaN.
///
/// # Safety
/// The processor has the instructions; rows `row .. row + R` exist in `x` and at `ptrs`, and the blocks
/// of `w` exist in `x` from `first` on.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile<const R: usize, const G: usize>(
    x: &Left<'_>,
    row: usize,
    first: usize,
    w: &Chunk<'_>,
    ptrs: &AccumulatorPtrs,
) -> bool {
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let blocks = x.k / BLOCK;
        let q = x.q.as_ptr().add(row * x.k + first * BLOCK);
        let d = x.d.as_ptr().add(row * blocks + first);
        let sums = x.sums.as_ptr().add(2 * (row * blocks + first));
        let codes: *const u8 = w.codes.as_ptr().cast();
        let scales: *const f32 = w.scales.as_ptr().cast();
        let mut out = [[_mm512_setzero_ps(); 2]; R];
        let from = ptrs.from.add(row * ptrs.from_row);
        for (r, out) in out.iter_mut().enumerate() {
            for (h, out) in out.iter_mut().enumerate() {
                *out = _mm512_loadu_ps(from.add(r * ptrs.from_row + 16 * h));
            }
        }
        for block in 0..w.blocks {
            let sum16 = |r: usize, half: usize| *sums.add(2 * (r * blocks + block) + half);
            for group in 0..G {
                let mut dots = [[_mm512_setzero_si512(); 2]; R];
                for (r, dots) in dots.iter_mut().enumerate() {
                    let sum = match G {
                        1 => sum16(r, 0) + sum16(r, 1),
                        _ => sum16(r, group),
                    };
                    *dots = [_mm512_set1_epi32(-w.zero * sum); 2];
                }
                let quads = BLOCK / QUAD / G;
                for quad in 0..quads {
                    let at = group * quads + quad;
                    let plane = codes.add(block * BLOCK_CODES + at * PLANE);
                    let low = _mm512_load_si512(plane.cast());
                    let high = _mm512_load_si512(plane.add(64).cast());
                    for (r, dots) in dots.iter_mut().enumerate() {
                        let four = q.add(r * x.k + block * BLOCK + at * QUAD);
                        let four = _mm512_set1_epi32(four.cast::<i32>().read_unaligned());
                        dots[0] = _mm512_dpbusd_epi32(dots[0], low, four);
                        dots[1] = _mm512_dpbusd_epi32(dots[1], high, four);
                    }
                }
                let scale = scales.add((block * G + group) * PANEL);
                let scale = [_mm512_load_ps(scale), _mm512_load_ps(scale.add(16))];
                for (r, (out, dots)) in out.iter_mut().zip(&dots).enumerate() {
                    let d = _mm512_set1_ps(*d.add(r * blocks + block));
                    for ((out, dots), scale) in out.iter_mut().zip(dots).zip(scale) {
                        let both = _mm512_mul_ps(d, scale);
                        *out = _mm512_fmadd_ps(both, _mm512_cvtepi32_ps(*dots), *out);
                    }
                }
            }
            if let Some(mins) = w.mins.get(block) {
                let mins = mins.0.as_ptr();
                let mins = [_mm512_load_ps(mins), _mm512_load_ps(mins.add(16))];
                for (r, out) in out.iter_mut().enumerate() {
                    let d = _mm512_set1_ps(*d.add(r * blocks + block));
                    let sum = _mm512_set1_ps((sum16(r, 0) + sum16(r, 1)) as f32);
                    for (out, min) in out.iter_mut().zip(mins) {
                        *out = _mm512_fnmadd_ps(_mm512_mul_ps(d, min), sum, *out);
                    }
                }
            }
        }
        let to = ptrs.to.add(row * ptrs.to_row);
        for (r, out) in out.iter().enumerate() {
            for (h, out) in out.iter().enumerate() {
                _mm512_storeu_ps(to.add(r * ptrs.to_row + 16 * h), *out);
            }
        }
        let nan = out.iter().fold(0, |nan, [low, high]| {
            nan | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(*low, *high)
        });
        ptrs.complete && nan != 0
    }
}
