// SPDX-License-Identifier: Apache-2.0
//! Products with quantised weights: the profile `exact-q8-v1`.
//!
//! A weight of a [`BlockFormat`](crate::element::BlockFormat) is `w = s * (c - z) - m`: an integer code c, the zero
//! point z of the format, and a scale s and a minimum m shared by the weights of a *group* (32 weights, 16 in Q6_K).
//! Both are exact in binary32: a binary16 times a small integer.
//!
//! Activations: a row x of k values is quantised in blocks of 32 ([`QuantRows`]). With `amax` the
//! largest `|x[i]|`: below 2^-100, d = +0.0 and every q = 0; otherwise `d = amax / 127`, `inv = 127 / amax`,
//! `q[i] = x[i] * inv` rounded to the nearest integer, ties to even. All values must be finite.
//!
//! Canonical order of one output: one accumulator from +0.0 ([`Accumulate::Overwrite`]) or from the value in the
//! output ([`Accumulate::Add`]); for each group along k, ascending, with d and q of its block of activations:
//! * `dot = sum (c - z) * q`, an integer of less than 2^24, so exact in any order;
//! * `acc = fma(d * s, dot as f32, acc)`;
//! * in formats with minima `acc = fma(-(d * m), (sum q) as f32, acc)`.
//!
//! The formats and their bytes are those of GGUF files (the ggml library's block formats).
//!
//! | module | contents |
//! |---|---|
//! | `block` | the shape of a block, and the activations of a product |
//! | `chunked` | the product in chunks, shared by the instruction sets |
//! | `format` | decodes a block of each format |
//! | `matrix` | weights packed in panels |
//! | `unpack` | a chunk of a panel as bytes and binary32 scales |
//! | `prefetch` | prefetches the next chunk |
//! | `rows` | quantised activations |
//! | `accumulators` | the accumulators of a panel between chunks |
//! | `referee` | recomputes a segment of one output from the file's bytes |
//! | `scalar`, `avx2`, `vnni`, `amx` | multiply a block of rows with an unpacked chunk |

/// Defines a module's `product`: [`chunked::product`] with the module's `multiply_chunk`, compiled with target
/// features.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
macro_rules! product_by_chunk {
    ($features:literal, $signed:literal, $after:block) => {
        /// # Safety
        /// The processor has the instructions, and the operating system permits them.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn product(
            accumulate: crate::matmul::Accumulate,
            x: &super::QuantRows,
            w: &super::QuantMatrix,
            panels: core::ops::Range<usize>,
            columns: usize,
            out: &mut [f32],
        ) -> bool {
            let multiply_chunk = |p: &super::chunked::ChunkProduct<'_>, accumulators: &mut Accumulators<'_>| {
                // SAFETY: the caller's promise.
                unsafe { multiply_chunk(p, accumulators) }
            };
            let nan = super::chunked::product::<$signed>(accumulate, x, w, panels, columns, out, multiply_chunk);
            $after
            nan
        }
    };
}

mod accumulators;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod amx;
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

use crate::error::{Error, Operation, Result};
use crate::matmul::Accumulate;
use crate::Isa;

/// Computes `out = x w^T` or `out += x w^T` for the output features in a range of panels of `w` [out_features,
/// in_features]: `x` [rows, in_features], `out` [rows, features in the panels].
pub fn quant_matmul(
    isa: Isa,
    accumulate: Accumulate,
    x: &QuantRows,
    w: &QuantMatrix,
    panels: Range<usize>,
    out: &mut [f32],
) -> Result<()> {
    let columns = w.columns(panels.clone())?;
    let operation = Operation("quant_matmul");
    operation.exactly("input features of x", w.in_features(), x.in_features())?;
    let elements = operation.area("elements of out", x.rows(), columns)?;
    operation.exactly("elements of out", elements, out.len())?;
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
        // SAFETY: the processor has the instructions, and the operating system permits tiles.
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
