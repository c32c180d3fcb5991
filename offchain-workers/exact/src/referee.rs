// SPDX-License-Identifier: Apache-2.0
//! What the last referee recomputes: a short segment of one chain, with software arithmetic only.
//!
//! A chain's running accumulator after every [`MAX_TERMS`] terms is well defined, so two parties who
//! disagree about an element can be bisected to one segment, which this recomputes without any
//! fused multiply-add in the processor (wasm has none). Products with quantised weights have
//! [`quant_segment`](crate::quant::quant_segment).

use crate::error::{shape, Error, Result};
use crate::fma::fma_software;

/// The most terms of a segment.
pub const MAX_TERMS: usize = 256;

/// The accumulator after a segment of a chain: `acc = fma(a[i], b[i], acc)`, i ascending, from
/// `start`. Refuses more than [`MAX_TERMS`] terms, slices of different lengths, and NaN: in the
/// operands, in the start, or arising on the way.
pub fn dot_segment(start: f32, a: &[f32], b: &[f32]) -> Result<f32> {
    shape(a.len() == b.len())?;
    if a.len() > MAX_TERMS {
        return Err(Error::TooManyTerms);
    }
    let nan = |x: &[f32]| x.iter().any(|v| v.is_nan());
    if start.is_nan() || nan(a) || nan(b) {
        return Err(Error::NotANumber);
    }
    let end = a.iter().zip(b).fold(start, |acc, (&x, &y)| fma_software(x, y, acc));
    // A chain never leaves NaN once it is there, so the end tells.
    if end.is_nan() {
        return Err(Error::NotANumber);
    }
    Ok(end)
}
