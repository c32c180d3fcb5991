// SPDX-License-Identifier: Apache-2.0
//! Products with quantised weights: the profile `exact-q8-v1`.
//!
//! A weight of a [`BlockFormat`](crate::element::BlockFormat) is `w = s * (c - z) - m`: an integer code c, the format's zero z, and
//! a scale s and a minimum m that the weights of a *group* share (32 weights, 16 in Q6_K). Both are
//! binary32 numbers exactly: a binary16 times a small integer.
//!
//! Activations: a row x of k values is quantised in blocks of 32 ([`QuantRows`]). With `amax` the
//! largest |x[i]|: below 2^-100, d = +0.0 and every q = 0; else `d = amax / 127`, `inv = 127 / amax`,
//! `q[i]` = x[i] * inv rounded to the nearest integer, ties to even. Only finite numbers are taken.
//!
//! Canonical order of one output: one accumulator from +0.0 ([`Accumulate::Overwrite`]) or from what the output
//! holds ([`Accumulate::Add`]); for each group along k, ascending, with the d and the q of its place:
//! * `dot = sum (c - z) * q`, an integer of less than 2^24, so exact in any order;
//! * `acc = fma(d * s, dot as f32, acc)`;
//! * in formats with minima `acc = fma(-(d * m), (sum q) as f32, acc)`.
//!
//! The formats and their bytes are those of GGUF files (the ggml library's block formats).
//!
//! | module | what is in it |
//! |---|---|
//! | `format` | decodes a block of each format |
//! | `matrix` | weights in panels |
//! | `unpack` | a part of a panel as bytes and binary32 scales |
//! | `prefetch` | what comes next is brought near |
//! | `rows` | quantised activations |
//! | `accumulators` | where a part's sums come from and go to |
//! | `referee` | a segment of one output, from the file's bytes |
//! | `scalar`, `avx2`, `vnni`, `amx` | the product of some rows with an unpacked part |

/// Writes a module's `product`: [`product`] with the module's `part`, compiled for some instructions.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
macro_rules! product_by_chunk {
    ($features:literal, $signed:literal, $after:block) => {
        /// # Safety
        /// The processor has the instructions, and the system has granted what they need.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn product(
            accumulate: crate::matmul::Accumulate,
            x: &super::QuantRows,
            w: &super::QuantMatrix,
            panels: core::ops::Range<usize>,
            columns: usize,
            out: &mut [f32],
        ) -> bool {
            let multiply_chunk = |x: &Left<'_>,
                        first: usize,
                        w: &Chunk<'_>,
                        next: &PackedBlocks<'_>,
                        sums: &mut Accumulators<'_>| {
                // SAFETY: the caller's promise.
                unsafe { multiply_chunk(x, first, w, next, sums) }
            };
            let nan = super::product::<$signed>(accumulate, x, w, panels, columns, out, multiply_chunk);
            $after
            nan
        }
    };
}

mod accumulators;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) mod amx;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx2;
mod format;
mod matrix;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod prefetch;
mod referee;
mod rows;
mod scalar;
mod unpack;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod vnni;

use core::ops::Range;

pub use format::quantise_q8_0;
pub use matrix::QuantMatrix;
pub use referee::quant_segment;
pub use rows::QuantRows;

use crate::error::{area, shape, Error, Result};
use crate::matmul::{Accumulate, PANEL};
use crate::Isa;
use accumulators::{Accumulators, Initial};
use matrix::PackedBlocks;
use unpack::{Chunk, UnpackBuffer, CHUNK_BLOCKS};

/// Weights along k that share an activation's scale.
pub const BLOCK: usize = 32;

/// Rows whose accumulators are held together: the more, the less a part's unpacking weighs.
const ROWS: usize = 96;

/// Four consecutive codes of one output: what one lane of an integer dot product takes.
const QUAD: usize = 4;

/// Bytes of one block of a panel, a byte for each code: `[8 quads][32 outputs][4]`.
const BLOCK_CODES: usize = BLOCK * PANEL;

/// Some rows of quantised activations, as the kernels read them.
#[derive(Clone, Copy)]
struct Left<'a> {
    /// `[rows, k]`.
    q: &'a [i8],
    /// `[rows, k / 32]`.
    d: &'a [f32],
    /// `[rows, k / 16]`.
    sums: &'a [i32],
    k: usize,
}

/// `out = x w` or, continuing chains, `out += x w` for the columns in some panels of `w` [n, k]: `out`
/// [rows of x, those columns], densely.
pub fn quant_matmul(
    isa: Isa,
    accumulate: Accumulate,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    out: &mut [f32],
) -> Result<()> {
    let columns = w.columns(panels.clone())?;
    shape(x.in_features() == w.in_features() && out.len() == area(x.rows(), columns)?)?;
    if out.is_empty() {
        return Ok(());
    }
    if w.in_features() == 0 {
        if accumulate == Accumulate::Overwrite {
            out.fill(0.0);
        }
        return Ok(());
    }
    let nan = match isa.or_scalar() {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        // SAFETY: the processor has the instructions, and the system has granted tiles.
        Isa::Amx if amx::is_fastest(x.rows(), w.format()) => unsafe {
            amx::product(accumulate, x, w, panels, columns, out)
        },
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        // SAFETY: the processor has the instructions.
        Isa::Avx512 | Isa::Amx if vnni::is_available() => unsafe {
            vnni::product(accumulate, x, w, panels, columns, out)
        },
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        // SAFETY: the processor has the instructions; every one with AVX-512 has AVX2 and FMA.
        Isa::Amx | Isa::Avx512 | Isa::Avx2 => unsafe { avx2::product(accumulate, x, w, panels, columns, out) },
        _ => product::<false>(accumulate, x, w, panels, columns, out, scalar::multiply_chunk),
    };
    match nan {
        true => Err(Error::NotANumber),
        false => Ok(()),
    }
}

/// The product by parts: a chunk of a panel is unpacked, then multiplied with all rows of a block. Whether there
/// is a NaN in it.
/// `part` is also told of what comes next, and tells of NaN in complete sums. `SIGNED`: it takes codes
/// from which their zero is subtracted.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn product<const SIGNED: bool>(
    accumulate: Accumulate,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    columns: usize,
    out: &mut [f32],
    multiply_chunk: impl Fn(&Left<'_>, usize, &Chunk<'_>, &PackedBlocks<'_>, &mut Accumulators<'_>) -> bool,
) -> bool {
    let mut nan = false;
    let mut kept = [[0.0; PANEL]; ROWS];
    let mut unpacked = UnpackBuffer::new();
    let blocks = w.in_features() / BLOCK;
    for first_row in (0..x.rows()).step_by(ROWS) {
        let rows = ROWS.min(x.rows() - first_row);
        let left = x.left(first_row..first_row + rows);
        for (index, panel) in panels.clone().enumerate() {
            let valid = PANEL.min(columns - index * PANEL);
            let mut sums = Accumulators {
                kept: &mut kept[..rows],
                out: &mut out[first_row * columns + index * PANEL..],
                stride: columns,
                before: match accumulate {
                    Accumulate::Overwrite => Initial::Zero,
                    Accumulate::Add => Initial::Product,
                },
                complete: false,
            };
            // The last panel's padding is no part of the product: its sums begin and end in `kept`.
            let padded = valid < PANEL;
            if padded && accumulate == Accumulate::Add {
                sums.take(valid);
            }
            for first in (0..blocks).step_by(CHUNK_BLOCKS) {
                let count = CHUNK_BLOCKS.min(blocks - first);
                let chunk = unpacked.chunk::<SIGNED>(w, panel, first, count);
                let next = match first + count {
                    next if next < blocks => w.packed_blocks(panel, next, CHUNK_BLOCKS.min(blocks - next)),
                    _ if panel + 1 < panels.end => w.packed_blocks(panel + 1, 0, CHUNK_BLOCKS.min(blocks)),
                    _ => PackedBlocks::default(),
                };
                sums.complete = first + count == blocks && !padded;
                nan |= multiply_chunk(&left, first, &chunk, &next, &mut sums);
                sums.before = Initial::Kept;
            }
            if padded {
                nan |= sums.put(valid);
            }
        }
    }
    nan
}
