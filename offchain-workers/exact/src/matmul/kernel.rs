// SPDX-License-Identifier: Apache-2.0
//! The tiled product, generic over the vector type.
//!
//! A tile keeps its outputs in registers over a block of k; between two blocks the accumulators are stored in the
//! output, which does not change any chain. The blocks are long, because reloading the accumulators costs more than
//! reading the right operand from the L2 cache: a block of one panel stays there while the tiles of a block of rows
//! use it, and so does the block of rows while all panels are processed.

use alloc::vec::Vec;
use core::{cell::Cell, ops::Range};

use super::{Accumulate, Left, Product, PANEL};
use crate::simd::{PointerLanes, LANES};

/// The number of terms of a chain between two accesses to the output.
const K_BLOCK: usize = 1024;
/// The number of elements of the left operand that stay in the L2 cache.
const LEFT_BLOCK: usize = 1 << 17;
/// The distance in elements of addresses that map to the same set of the L1 cache (4 KiB): rows a multiple of it apart
/// evict each other.
const SAME_SET: usize = 1024;

std::thread_local! {
    /// A thread's buffer for packed left operands, about `LEFT_BLOCK` elements. It is kept because the allocator maps
    /// and faults in new memory of this size at every product.
    static LEFT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The addresses of a tile.
#[derive(Clone, Copy)]
struct Tile {
    k: usize,
    a: *const f32,
    a_row: usize,
    a_step: usize,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    /// Whether the accumulators begin at +0.0, not at the values in the output.
    overwrite: bool,
}

/// Computes a product in tiles of MR rows and NV vectors, a single row in NB vectors.
///
/// # Safety
/// As [`super::Products::product`]; the processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn product<V: PointerLanes, const MR: usize, const NV: usize, const NB: usize>(
    p: &Product<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let out = out.as_mut_ptr();
    let k_block = K_BLOCK.min(p.k);
    let m_block = (LEFT_BLOCK / k_block).next_multiple_of(MR).min(p.m);
    // A transposed left operand is packed tile by tile, and so are rows that evict each other if there are enough
    // panels for packing to pay off; other rows are read in place.
    let evict = p.left.row.is_multiple_of(SAME_SET) && p.n > 2 * PANEL;
    let pack_left = p.m > 1 && (p.left.step != 1 || evict);
    let mut packed = Vec::new();
    if pack_left {
        packed = LEFT.take();
        if packed.len() < k_block * m_block {
            packed.resize(k_block * m_block, 0.0);
        }
    }
    for m0 in (0..p.m).step_by(m_block) {
        let m = m_block.min(p.m - m0);
        for k0 in (0..p.k).step_by(k_block) {
            let k = k_block.min(p.k - k0);
            if pack_left {
                pack::<MR>(&p.left, m0, m, k0..k0 + k, &mut packed);
            }
            let mut j = 0;
            while j < p.n {
                let wide = p.m == 1 && p.n - j >= NB * LANES && j % PANEL == 0;
                // SAFETY (whole loop): m0 + i < p.m, j < p.n and k0 + k <= p.k, so every
                // address lies in its slice by the caller's promise, up to the padding that
                // `readable` grants; a packed row has k elements.
                let b = unsafe { right_at(p, j, k0) };
                let mut i = 0;
                while i < m {
                    let rows = tile_rows::<MR>(m - i);
                    let (a, a_row, a_step) = if pack_left {
                        (unsafe { packed.as_ptr().add(i * k) }, 1, rows)
                    } else {
                        let at = (m0 + i) * p.left.row + k0 * p.left.step;
                        let a = unsafe { p.left.data.as_ptr().add(at) };
                        (a, p.left.row, p.left.step)
                    };
                    let tile = Tile {
                        k,
                        a,
                        a_row,
                        a_step,
                        b,
                        b_row: p.right.row,
                        c: unsafe { out.add((m0 + i) * stride + j) },
                        c_row: stride,
                        overwrite: k0 == 0 && p.accumulate == Accumulate::Overwrite,
                    };
                    if wide {
                        unsafe { wide_row::<V, NB>(&tile, p.right.panel) };
                    } else {
                        unsafe { tile_of_rows::<V, MR, NV>(rows, &tile, p, j) };
                    }
                    i += rows;
                }
                j += if wide { NB * LANES } else { NV * LANES };
            }
        }
    }
    if pack_left {
        LEFT.set(packed);
    }
}

/// Returns a pointer to element (k, j) of the right operand.
///
/// # Safety
/// The element exists.
#[inline(always)]
unsafe fn right_at(p: &Product<'_>, j: usize, k: usize) -> *const f32 {
    let at = (j / PANEL) * p.right.panel + k * p.right.row + j % PANEL;
    // SAFETY: the caller's promise.
    unsafe { p.right.data.as_ptr().add(at) }
}

/// Returns the number of rows of the next tile.
#[inline(always)]
fn tile_rows<const MR: usize>(left: usize) -> usize {
    match left {
        _ if left >= MR => MR,
        8.. if MR > 8 => 8,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Packs the terms `all` of m rows of a left operand from m0 on, tile by tile: `[k][rows of the tile]`.
#[inline(always)]
fn pack<const MR: usize>(left: &Left<'_>, m0: usize, m: usize, all: Range<usize>, to: &mut [f32]) {
    // Few enough terms at a time that each cache line of a transposed operand is read from memory once.
    const PACK_BLOCK: usize = 256;
    for k0 in all.clone().step_by(PACK_BLOCK) {
        let block = k0..all.end.min(k0 + PACK_BLOCK);
        let mut i = 0;
        while i < m {
            let rows = tile_rows::<MR>(m - i);
            let at = i * all.len() + (k0 - all.start) * rows;
            let tile = &mut to[at..at + block.len() * rows];
            let from = &left.data[(m0 + i) * left.row..];
            match rows {
                8 if MR > 8 => pack_tile::<8>(left, from, block.clone(), tile),
                4 => pack_tile::<4>(left, from, block.clone(), tile),
                2 => pack_tile::<2>(left, from, block.clone(), tile),
                1 => pack_tile::<1>(left, from, block.clone(), tile),
                _ => pack_tile::<MR>(left, from, block.clone(), tile),
            }
            i += rows;
        }
    }
}

/// Packs a block of terms of R rows, the first of which begins at `from`.
#[inline(always)]
fn pack_tile<const R: usize>(left: &Left<'_>, from: &[f32], block: Range<usize>, tile: &mut [f32]) {
    if left.row == 1 {
        for (k, row) in block.zip(tile.chunks_exact_mut(R)) {
            // A constant length, so that the compiler emits vector moves instead of a call.
            row.copy_from_slice(&from[k * left.step..][..R]);
        }
        return;
    }
    // One cache line of each row at a time, because the rows may evict each other.
    for (part, tile) in tile.chunks_mut(LANES * R).enumerate() {
        let first = block.start + part * LANES;
        for r in 0..R {
            let row = &from[r * left.row..];
            for (k, to) in (first..).zip(tile.chunks_exact_mut(R)) {
                to[r] = row[k * left.step];
            }
        }
    }
}

/// Computes a tile of `rows` rows from column j on.
///
/// # Safety
/// The tile's addresses exist for `rows` rows; `rows` comes from [`tile_rows`].
#[inline(always)]
unsafe fn tile_of_rows<V: PointerLanes, const MR: usize, const NV: usize>(
    rows: usize,
    tile: &Tile,
    p: &Product<'_>,
    j: usize,
) {
    let valid = (p.n - j).min(NV * LANES);
    // SAFETY (whole function): the caller's promise.
    unsafe {
        match rows {
            8 if MR > 8 => tile_columns::<V, 8, NV>(tile, valid),
            4 => tile_columns::<V, 4, NV>(tile, valid),
            2 => tile_columns::<V, 2, NV>(tile, valid),
            1 => tile_columns::<V, 1, NV>(tile, valid),
            _ => tile_columns::<V, MR, NV>(tile, valid),
        }
    }
}

/// Computes a tile of which `valid` columns belong to the output; a partial tile is computed in a buffer.
///
/// # Safety
/// The tile's addresses exist for R rows.
#[inline(always)]
unsafe fn tile_columns<V: PointerLanes, const R: usize, const NV: usize>(tile: &Tile, valid: usize) {
    // SAFETY (whole function): the caller's promise; the buffer has R rows of PANEL >= 16 NV.
    unsafe {
        if valid == NV * LANES {
            return full_tile::<V, R, NV>(tile);
        }
        let mut buffer = [[0.0f32; PANEL]; R];
        if !tile.overwrite {
            for (i, row) in buffer.iter_mut().enumerate() {
                let from = core::slice::from_raw_parts(tile.c.add(i * tile.c_row), valid);
                row[..valid].copy_from_slice(from);
            }
        }
        let inner = Tile {
            c: buffer.as_mut_ptr().cast(),
            c_row: PANEL,
            ..*tile
        };
        if valid <= LANES {
            full_tile::<V, R, 1>(&inner);
        } else {
            full_tile::<V, R, NV>(&inner);
        }
        for (i, row) in buffer.iter().enumerate() {
            let to = core::slice::from_raw_parts_mut(tile.c.add(i * tile.c_row), valid);
            to.copy_from_slice(&row[..valid]);
        }
    }
}

/// Computes R rows of 16 NV outputs, one chain each.
///
/// # Safety
/// The tile's addresses exist for R rows and 16 NV columns.
#[inline(always)]
unsafe fn full_tile<V: PointerLanes, const R: usize, const NV: usize>(tile: &Tile) {
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let mut acc = [[V::splat(0.0); NV]; R];
        if !tile.overwrite {
            for (i, row) in acc.iter_mut().enumerate() {
                for (v, acc) in row.iter_mut().enumerate() {
                    *acc = V::load_at(tile.c.add(i * tile.c_row + v * LANES));
                }
            }
        }
        let mut a = tile.a;
        let mut b = tile.b;
        for _ in 0..tile.k {
            let mut right = [V::splat(0.0); NV];
            for (v, right) in right.iter_mut().enumerate() {
                *right = V::load_at(b.add(v * LANES));
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let left = V::splat(*a.add(i * tile.a_row));
                for (acc, right) in row.iter_mut().zip(right) {
                    *acc = left.fma(right, *acc);
                }
            }
            a = a.wrapping_add(tile.a_step);
            b = b.wrapping_add(tile.b_row);
        }
        for (i, row) in acc.iter().enumerate() {
            for (v, acc) in row.iter().enumerate() {
                acc.store_at(tile.c.add(i * tile.c_row + v * LANES));
            }
        }
    }
}

/// Computes one row of 16 NB outputs over several panels: enough independent chains to hide the latency of the FMA.
///
/// # Safety
/// The tile's addresses exist for one row and 16 NB columns, panels `panel` elements apart.
#[inline(always)]
unsafe fn wide_row<V: PointerLanes, const NB: usize>(tile: &Tile, panel: usize) {
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let mut acc = [V::splat(0.0); NB];
        if !tile.overwrite {
            for (v, acc) in acc.iter_mut().enumerate() {
                *acc = V::load_at(tile.c.add(v * LANES));
            }
        }
        let mut a = tile.a;
        let mut b = tile.b;
        for _ in 0..tile.k {
            let left = V::splat(*a);
            for (v, acc) in acc.iter_mut().enumerate() {
                let at = (v * LANES / PANEL) * panel + v * LANES % PANEL;
                *acc = left.fma(V::load_at(b.add(at)), *acc);
            }
            a = a.wrapping_add(tile.a_step);
            b = b.wrapping_add(tile.b_row);
        }
        for (v, acc) in acc.iter().enumerate() {
            acc.store_at(tile.c.add(v * LANES));
        }
    }
}
