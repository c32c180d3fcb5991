// SPDX-License-Identifier: Apache-2.0
//! Products with quantised weights: the profile `exact-q8-v1`.
//!
//! A weight of a [`BlockFormat`](crate::element::BlockFormat) is `w = s * (c - z) - m`: an integer code c, the format's zero z, and
//! a scale s and a minimum m that the weights of a *group* share (32 weights, 16 in Q6_K). Both are
//! binary32 numbers exactly: a binary16 times a small integer.
//!
//! Activations: a row x of k values is quantised in blocks of 32 ([`QuantRows`]). With `amax` the
//! largest `|x[i]|`: below 2^-100, d = +0.0 and every q = 0; else `d = amax / 127`, `inv = 127 / amax`,
//! `q[i] = x[i] * inv` rounded to the nearest integer, ties to even. Only finite numbers are taken.
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
//! | `block`, `chunked` | the shape of a block; the product by chunks, which the instruction sets share |
//! | `format` | decodes a block of each format |
//! | `matrix` | weights in panels |
//! | `unpack` | a part of a panel as bytes and binary32 scales |
//! | `prefetch` | what comes next is brought near |
//! | `rows` | quantised activations |
//! | `accumulators` | where a part's sums come from and go to |
//! | `referee` | a segment of one output, from the file's bytes |
//! | `scalar`, `avx2`, `vnni`, `amx` | the product of some rows with an unpacked part |

/// Defines a module's `product`: [`chunked::product`] with the module's `multiply_chunk`, compiled for some instructions.
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
            let nan = super::chunked::product::<$signed>(accumulate, x, w, panels, columns, out, multiply_chunk);
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
mod block;
mod chunked;
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

pub use block::BLOCK;
pub use format::quantise_q8_0;
pub use matrix::QuantMatrix;
pub use referee::quant_segment;
pub use rows::QuantRows;

use crate::error::{area, shape, Error, Result};
use crate::matmul::Accumulate;
use crate::Isa;

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
        Isa::Avx512 | Isa::Amx if crate::cpu::has_vnni() => unsafe {
            vnni::product(accumulate, x, w, panels, columns, out)
        },
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        // SAFETY: the processor has the instructions; every one with AVX-512 has AVX2 and FMA.
        Isa::Amx | Isa::Avx512 | Isa::Avx2 => unsafe { avx2::product(accumulate, x, w, panels, columns, out) },
        _ => chunked::product::<false>(accumulate, x, w, panels, columns, out, scalar::multiply_chunk),
    };
    match nan {
        true => Err(Error::NotANumber),
        false => Ok(()),
    }
}
