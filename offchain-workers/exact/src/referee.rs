// SPDX-License-Identifier: Apache-2.0
//! Recomputation of a short segment of one output's chain, in software arithmetic only.
//!
//! The accumulator after every [`MAX_TERMS`] terms of a chain is well defined, so a dispute about one output element
//! can be narrowed down to one segment. [`dot_segment`] recomputes a segment of a binary32 product,
//! [`quant_segment`](crate::quant::quant_segment) one of a product with quantised weights. Neither needs a hardware
//! fused multiply-add, which WebAssembly lacks.

use crate::error::{Error, Operation, Result};
use crate::fma::fma_software;

/// The maximum number of terms of a segment.
pub const MAX_TERMS: usize = 256;

/// Returns the accumulator after a segment of a chain: `acc = fma(a[i], b[i], acc)`, i ascending, from `start`.
///
/// [`Error::Shape`] if the slices differ in length; [`Error::TooManyTerms`] for more than [`MAX_TERMS`] terms;
/// [`Error::NotANumber`] for NaN in the operands, in `start` or in the result.
pub fn dot_segment(start: f32, a: &[f32], b: &[f32]) -> Result<f32> {
    Operation("dot_segment").exactly("elements of b", a.len(), b.len())?;
    if a.len() > MAX_TERMS {
        return Err(Error::TooManyTerms);
    }
    let nan = |x: &[f32]| x.iter().any(|v| v.is_nan());
    if start.is_nan() || nan(a) || nan(b) {
        return Err(Error::NotANumber);
    }
    let end = a.iter().zip(b).fold(start, |acc, (&x, &y)| fma_software(x, y, acc));
    // An accumulator that is NaN stays NaN, so checking the last one is enough.
    if end.is_nan() {
        return Err(Error::NotANumber);
    }
    Ok(end)
}
