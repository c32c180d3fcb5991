// SPDX-License-Identifier: Apache-2.0
//! AMX: one instruction multiplies 32 inputs of sixteen rows with the weights of sixteen outputs. It is used for the
//! formats whose blocks have one scale and no minimum; for the others, scaling costs so much that VNNI is as fast.
//!
//! The integer dot products of all blocks of a chunk are computed in tiles first; then they are scaled and accumulated
//! with AVX-512 in the canonical order. (Interleaving both is no faster: while tiles are in use, only one of the
//! processor's two 512-bit FMA units is active.) The codes are signed: the zero point is subtracted.
//!
//! The tile instructions are written in inline assembly, because their intrinsics are not stable. Source: Intel 64 and
//! IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

use core::arch::{asm, x86_64::*};
use core::mem::MaybeUninit;

use super::accumulators::{AccumulatorPtrs, Accumulators};
use super::block::{Left, BLOCK, BLOCK_CODES, QUAD};
use super::chunked::ChunkProduct;
use super::prefetch::Prefetch;
use super::unpack::{Chunk, CHUNK_BLOCKS};
use crate::element::BlockFormat;
use crate::matmul::PANEL;

/// The number of rows of a tile.
const ROWS: usize = 16;
/// The minimum number of rows for AMX; with fewer rows the tiles are so empty that VNNI is as fast.
const MIN_ROWS: usize = 24;
/// The size of a plane of codes in bytes.
const PLANE: usize = PANEL * QUAD;

/// Returns whether tiles are the fastest kernel for `rows` rows of a format.
pub(super) fn is_fastest(rows: usize, format: BlockFormat) -> bool {
    rows >= MIN_ROWS && format.group_len() == BLOCK && !format.has_mins()
}

/// The tile configuration (palette 1): the rows and the bytes per row of each tile register.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

impl Shapes {
    /// The configuration for `rows` rows of activations.
    fn new(rows: usize) -> Shapes {
        let mut shapes = Shapes([0; 64]);
        shapes.0[0] = 1;
        let mut set = |register: usize, rows: usize, bytes: usize| {
            shapes.0[16 + 2 * register] = bytes as u8;
            shapes.0[48 + register] = rows as u8;
        };
        for activations in [0, 1] {
            set(activations, rows, BLOCK);
        }
        for codes in [2, 3] {
            set(codes, BLOCK / QUAD, PLANE / 2);
        }
        for products in [4, 5, 6, 7] {
            set(products, rows, PLANE / 2);
        }
        shapes
    }

    /// Loads the configuration.
    ///
    /// # Safety
    /// The processor has the instructions, and the operating system permits tiles.
    unsafe fn load(&self) {
        // SAFETY: the caller's promise; the configuration is a valid one of palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) self, options(nostack, readonly)) }
    }
}

product_by_chunk!("avx512f,avx512bw,avx512vnni", true, {
    // SAFETY: the caller's promise. Tiles in their initial state are not saved at context switches.
    unsafe { asm!("tilerelease", options(nostack, nomem)) }
});

/// Adds a chunk to the accumulators.
///
/// # Safety
/// The processor has the instructions, and the operating system permits tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn multiply_chunk(p: &ChunkProduct<'_>, accumulators: &mut Accumulators<'_>) -> bool {
    let &ChunkProduct { x, first, w, next } = p;
    // The bounds on which the pointers below rely.
    let (rows, ptrs) = (accumulators.rows(), AccumulatorPtrs::of(accumulators));
    let blocks = x.k / BLOCK;
    assert!(x.q.len() >= rows * x.k && x.d.len() >= rows * blocks);
    assert!(first + w.blocks <= blocks);
    assert!(w.codes.len() * 64 >= w.blocks * BLOCK_CODES && w.blocks <= CHUNK_BLOCKS);
    assert!(w.scales.len() >= w.blocks && w.groups == 1 && w.mins.is_empty());
    // Prefetches are spread over the scaling of the products, which reads little memory.
    let mut prefetch = Prefetch::new(next, 2 * w.blocks * rows.div_ceil(ROWS));
    let mut products = MaybeUninit::<Products>::uninit();
    let products = products.as_mut_ptr().cast::<i32>();
    let (mut shaped, mut nan) = (0, false);
    for row in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - row);
        // SAFETY: rows row .. row + count exist by the checks above, and `products` has room for the products
        // of each block.
        unsafe {
            if shaped != count {
                Shapes::new(count).load();
                shaped = count;
            }
            multiply(x, row, first, w, products);
            let mut done = 0;
            while done < count {
                // The largest power of two: 13 rows are computed as 8, 4 and 1.
                let height = 1 << (count - done).ilog2();
                let accumulate = match height {
                    1 => accumulate::<1>,
                    2 => accumulate::<2>,
                    4 => accumulate::<4>,
                    8 => accumulate::<8>,
                    _ => accumulate::<16>,
                };
                let products = products.add(2 * HALF + done * PANEL / 2);
                nan |= accumulate(x, row + done, first, w, products, &ptrs, &mut prefetch);
                done += height;
            }
        }
    }
    nan
}

/// The products of a chunk after unused space for those of one block: `[1 + blocks][2 halves][16 rows][16 outputs]`.
#[repr(C, align(64))]
struct Products([i32; (1 + CHUNK_BLOCKS) * PANEL * ROWS]);

/// The number of products of one half of a block's outputs.
const HALF: usize = ROWS * PANEL / 2;

/// Writes the dot products of the rows of a tile with all blocks of a chunk.
///
/// # Safety
/// As [`multiply_chunk`]; the registers are shaped for the rows that exist from `row` on.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn multiply(x: &Left<'_>, row: usize, first: usize, w: &Chunk<'_>, products: *mut i32) {
    // Multiplies a block in the registers $x (activations), $low and $high (products). The processor does not rename
    // tile registers, so consecutive blocks use different ones, and each is stored while the next is computed.
    macro_rules! block {
        ($x:literal, $low:literal, $high:literal, $q:literal, $codes:literal) => {
            concat!(
                "tileloadd tmm",
                $x,
                ", [{q} + {k} + ",
                $q,
                "]\n",
                "tileloadd tmm2, [{codes} + {plane} + ",
                $codes,
                "]\n",
                "tilezero tmm",
                $low,
                "\n",
                "tdpbssd tmm",
                $low,
                ", tmm",
                $x,
                ", tmm2\n",
                "tileloadd tmm3, [{codes} + {plane} + ",
                $codes,
                " + 64]\n",
                "tilezero tmm",
                $high,
                "\n",
                "tdpbssd tmm",
                $high,
                ", tmm",
                $x,
                ", tmm3",
            )
        };
    }
    const _: () = assert!(BLOCK == 32 && BLOCK_CODES == 1024 && 4 * HALF == 1024);
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let q = x.q.as_ptr().add(row * x.k + first * BLOCK);
        let codes: *const u8 = w.codes.as_ptr().cast();
        let products = products.add(2 * HALF);
        let pairs = w.blocks / 2;
        if pairs > 0 {
            // Each half of the loop stores the products of the previous half; the first store goes to the unused space
            // at the front.
            asm!(
                "2:",
                block!("0", "4", "5", "0", "0"),
                "tilestored [{products} + {line} - 2048], tmm6",
                "tilestored [{products} + {line} - 1024], tmm7",
                block!("1", "6", "7", "32", "1024"),
                "tilestored [{products} + {line}], tmm4",
                "tilestored [{products} + {line} + 1024], tmm5",
                "add {q}, 64",
                "add {codes}, 2048",
                "add {products}, 4096",
                "dec {pairs}",
                "jnz 2b",
                "tilestored [{products} + {line} - 2048], tmm6",
                "tilestored [{products} + {line} - 1024], tmm7",
                q = inout(reg) q => _,
                k = in(reg) x.k,
                codes = inout(reg) codes => _,
                plane = in(reg) PLANE,
                products = inout(reg) products => _,
                line = in(reg) 64usize,
                pairs = inout(reg) pairs => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
        let at = 2 * pairs;
        if at < w.blocks {
            asm!(
                block!("0", "4", "5", "0", "0"),
                "tilestored [{products} + {line}], tmm4",
                "tilestored [{products} + {line} + 1024], tmm5",
                q = in(reg) q.add(at * BLOCK),
                k = in(reg) x.k,
                codes = in(reg) codes.add(at * BLOCK_CODES),
                plane = in(reg) PLANE,
                products = in(reg) products.add(at * 2 * HALF),
                line = in(reg) 64usize,
                out("tmm0") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _,
                options(nostack),
            );
        }
    }
}

/// Scales the products of R rows and accumulates them. Returns whether complete accumulators are NaN.
///
/// # Safety
/// As [`multiply_chunk`]; rows `row .. row + R` exist in `x`, at `products` and at `ptrs`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn accumulate<const R: usize>(
    x: &Left<'_>,
    row: usize,
    first: usize,
    w: &Chunk<'_>,
    products: *const i32,
    ptrs: &AccumulatorPtrs,
    prefetch: &mut Prefetch<'_>,
) -> bool {
    // SAFETY (whole function): the caller's promise.
    unsafe {
        let blocks = x.k / BLOCK;
        let d = x.d.as_ptr().add(row * blocks + first);
        let scales: *const f32 = w.scales.as_ptr().cast();
        let mut nan = 0;
        for half in [0, 1] {
            let from = ptrs.from.add(row * ptrs.from_row + half * PANEL / 2);
            let to = ptrs.to.add(row * ptrs.to_row + half * PANEL / 2);
            let mut out = [_mm512_setzero_ps(); R];
            for (r, out) in out.iter_mut().enumerate() {
                *out = _mm512_loadu_ps(from.add(r * ptrs.from_row));
            }
            for block in 0..w.blocks {
                prefetch.step();
                let scale = _mm512_load_ps(scales.add((2 * block + half) * PANEL / 2));
                let products = products.add((2 * block + half) * HALF);
                for (r, out) in out.iter_mut().enumerate() {
                    let both = _mm512_mul_ps(_mm512_set1_ps(*d.add(r * blocks + block)), scale);
                    let dots = _mm512_load_si512(products.add(r * PANEL / 2).cast());
                    *out = _mm512_fmadd_ps(both, _mm512_cvtepi32_ps(dots), *out);
                }
            }
            for (r, out) in out.iter().enumerate() {
                _mm512_storeu_ps(to.add(r * ptrs.to_row), *out);
                nan |= _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(*out, *out);
            }
        }
        ptrs.complete && nan != 0
    }
}
