// SPDX-License-Identifier: Apache-2.0
//! AVX-512 with VNNI: one instruction multiplies sixteen outputs by four inputs.
//!
//! The codes are unsigned and the zero is not subtracted from them: the integer accumulators start at
//! `-z * sum q` instead of at zero, which is the same integer in the end.

use core::arch::x86_64::*;
use core::ops::Range;

use super::unpack::{Chunk, CHUNK_BLOCKS};
use super::{prefetch, Left, QuantMatrix, QuantRows, BLOCK, BLOCK_CODES, QUAD, ROWS};
use crate::matmul::{Chain, PANEL};

/// Rows of a tile.
const TILE: usize = 6;
/// Bytes of a plane.
const PLANE: usize = PANEL * QUAD;

/// Whether this processor has the instructions used here.
#[inline]
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512vnni")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512f")
}

/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn product(
    chain: Chain,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    columns: usize,
    out: &mut [f32],
) {
    let part = |x: &Left<'_>, first: usize, w: &Chunk<'_>, acc: &mut [[f32; PANEL]]| {
        // SAFETY: the caller's promise.
        unsafe { part(x, first, w, acc) }
    };
    super::product(chain, x, w, panels, columns, out, prefetch, part);
}

/// # Safety
/// The processor has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn part(x: &Left<'_>, first: usize, w: &Chunk<'_>, acc: &mut [[f32; PANEL]]) {
    // What the pointers below rely on.
    let rows = acc.len();
    let blocks = x.k / BLOCK;
    assert!(x.q.len() >= rows * x.k && x.d.len() >= rows * blocks);
    assert!(x.sums.len() >= rows * 2 * blocks && first + w.blocks <= blocks);
    assert!(w.codes.len() * 64 >= w.blocks * BLOCK_CODES);
    assert!(w.scales.len() >= w.blocks * w.groups);
    assert!(w.mins.is_empty() || w.mins.len() >= w.blocks);
    // What would be a multiplication and a move between register files for each row of a tile.
    let mut starts = [[0i32; 2 * CHUNK_BLOCKS]; ROWS];
    let mut sums = [[0.0f32; CHUNK_BLOCKS]; ROWS];
    assert!(rows <= ROWS && w.blocks <= CHUNK_BLOCKS);
    for (row, (starts, sums)) in starts.iter_mut().zip(&mut sums).take(rows).enumerate() {
        let halves = &x.sums[2 * (row * blocks + first)..][..2 * w.blocks];
        for (block, half) in halves.chunks_exact(2).enumerate() {
            match w.groups {
                1 => starts[block] = -w.zero * (half[0] + half[1]),
                _ => {
                    starts[2 * block] = -w.zero * half[0];
                    starts[2 * block + 1] = -w.zero * half[1];
                }
            }
            sums[block] = (half[0] + half[1]) as f32;
        }
    }
    let mut row = 0;
    while row < rows {
        // Tiles of nearly the same height: a low one is slower by far for each row.
        let left = rows - row;
        let count = left.div_ceil(left.div_ceil(TILE));
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
            let (starts, sums) = (&starts[row..row + count], &sums[row..row + count]);
            tile(
                x,
                row,
                first,
                w,
                starts,
                sums,
                acc.as_mut_ptr().add(row).cast(),
            );
        }
        row += count;
    }
}

/// R rows by 32 outputs, G groups in a block.
///
/// `starts` are the integers at which the accumulators of each row's groups begin, `sums` those of q.
///
/// # Safety
/// The processor has the instructions; rows `row .. row + R` exist in `x` and at `acc`, and the blocks
/// of `w`, no more than a chunk's, exist in `x` from `first` on; `starts` and `sums` have R rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile<const R: usize, const G: usize>(
    x: &Left<'_>,
    row: usize,
    first: usize,
    w: &Chunk<'_>,
    starts: &[[i32; 2 * CHUNK_BLOCKS]],
    sums: &[[f32; CHUNK_BLOCKS]],
    acc: *mut f32,
) {
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let blocks = x.k / BLOCK;
        let q = x.q.as_ptr().add(row * x.k + first * BLOCK);
        let d = x.d.as_ptr().add(row * blocks + first);
        let codes: *const u8 = w.codes.as_ptr().cast();
        let scales: *const f32 = w.scales.as_ptr().cast();
        let mut out = [[_mm512_setzero_ps(); 2]; R];
        for (r, out) in out.iter_mut().enumerate() {
            for (h, out) in out.iter_mut().enumerate() {
                *out = _mm512_loadu_ps(acc.add(r * PANEL + 16 * h));
            }
        }
        for block in 0..w.blocks {
            for group in 0..G {
                let mut dots = [[_mm512_setzero_si512(); 2]; R];
                for (r, dots) in dots.iter_mut().enumerate() {
                    let start = starts.get_unchecked(r).get_unchecked(G * block + group);
                    *dots = [_mm512_set1_epi32(*start); 2];
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
                    let sum = _mm512_set1_ps(*sums.get_unchecked(r).get_unchecked(block));
                    for (out, min) in out.iter_mut().zip(mins) {
                        *out = _mm512_fnmadd_ps(_mm512_mul_ps(d, min), sum, *out);
                    }
                }
            }
        }
        for (r, out) in out.iter().enumerate() {
            for (h, out) in out.iter().enumerate() {
                _mm512_storeu_ps(acc.add(r * PANEL + 16 * h), *out);
            }
        }
    }
}
