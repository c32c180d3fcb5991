// SPDX-License-Identifier: Apache-2.0
//! Sums, dot products and maxima.
//!
//! Canonical order of a sum: sixteen partial sums start at +0.0; element `i` is added to partial sum
//! `i mod 16`, i ascending; the elements are padded with +0.0 to a multiple of sixteen (the padding is
//! added too, which matters only for a partial sum of -0.0); then `p[i] += p[i + 8]` for i < 8,
//! `p[i] += p[i + 4]` for i < 4, `p[i] += p[i + 2]` for i < 2, and the result is `p[0] + p[1]`.

use crate::error::{no_nan, Error, Operation, Result};
use crate::simd::{fold, Lanes};
use crate::Isa;

/// Returns the canonical sum.
#[inline(always)]
pub(crate) fn sum_of<V: Lanes>(x: &[f32]) -> f32 {
    let mut partials = V::splat(0.0);
    fold_lanes!(V, x.len(), [v: x], { partials = partials.add(v); });
    fold(partials.to_array(), |a, b| a + b)
}

/// Returns the canonical dot product of two slices of the same length.
#[inline(always)]
pub(crate) fn dot_of<V: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    let mut partials = V::splat(0.0);
    fold_lanes!(V, a.len(), [x: a, y: b], { partials = x.fma(y, partials); });
    fold(partials.to_array(), |a, b| a + b)
}

/// Returns the maximum (-infinity for no elements, +0.0 for a zero of either sign) and whether an element is NaN.
#[inline(always)]
pub(crate) fn max_of<V: Lanes>(x: &[f32]) -> (f32, bool) {
    let mut nan = 0;
    let mut lanes = V::splat(f32::NEG_INFINITY);
    let full = x.len() - x.len() % crate::simd::LANES;
    fold_lanes!(V, full, [v: x], { nan |= v.nan_lanes(); lanes = v.max(lanes); });
    let mut best = fold(lanes.to_array(), |a, b| if a > b { a } else { b });
    for &v in &x[full..] {
        nan |= u16::from(v.is_nan());
        if v > best {
            best = v;
        }
    }
    (best + 0.0, nan != 0)
}

fn number(x: f32) -> Result<f32> {
    if x.is_nan() {
        Err(Error::NotANumber)
    } else {
        Ok(x)
    }
}

/// Returns the canonical sum; +0.0 for no elements.
pub fn sum16(isa: Isa, x: &[f32]) -> Result<f32> {
    number(dispatch!(isa, sum_of(x: &[f32]) -> f32))
}

/// Returns the canonical sum divided by the number of elements as a binary32; [`Error::Shape`] for no elements.
pub fn mean(isa: Isa, x: &[f32]) -> Result<f32> {
    Operation("mean").at_least("elements", 1, x.len())?;
    Ok(sum16(isa, x)? / x.len() as f32)
}

/// Returns the canonical dot product: like the sum, with `p = fma(a[i], b[i], p)`.
pub fn dot16(isa: Isa, a: &[f32], b: &[f32]) -> Result<f32> {
    Operation("dot16").exactly("elements of b", a.len(), b.len())?;
    number(dispatch!(isa, dot_of(a: &[f32], b: &[f32]) -> f32))
}

/// Returns the canonical sum of squares, `dot16(x, x)`.
pub fn sum_sq16(isa: Isa, x: &[f32]) -> Result<f32> {
    dot16(isa, x, x)
}

/// Returns the largest element, +0.0 if it is a zero of either sign; [`Error::Shape`] for no elements.
pub fn max(isa: Isa, x: &[f32]) -> Result<f32> {
    Operation("max").at_least("elements", 1, x.len())?;
    let (best, nan) = dispatch!(isa, max_of(x: &[f32]) -> (f32, bool));
    if nan {
        return Err(Error::NotANumber);
    }
    Ok(best)
}

/// Returns the largest absolute value; +0.0 for no elements.
pub fn max_abs(isa: Isa, x: &[f32]) -> Result<f32> {
    #[inline(always)]
    fn body<V: Lanes>(x: &[f32]) -> (f32, bool) {
        let mut nan = 0;
        let mut lanes = V::splat(0.0);
        fold_lanes!(V, x.len(), [v: x], { nan |= v.nan_lanes(); lanes = v.abs().max(lanes); });
        let best = fold(lanes.to_array(), |a, b| if a > b { a } else { b });
        (best, nan != 0)
    }
    let (best, nan) = dispatch!(isa, body(x: &[f32]) -> (f32, bool));
    if nan {
        return Err(Error::NotANumber);
    }
    Ok(best)
}

/// Returns the lowest index of the largest element; -0.0 and +0.0 are equal. [`Error::Shape`] for no elements.
pub fn argmax(isa: Isa, x: &[f32]) -> Result<usize> {
    let best = max(isa, x)?;
    // The first element equal to the maximum; `max` has excluded NaN. Testing a whole run vectorises, the search
    // for the position does not.
    let mut first = 0;
    for run in x.chunks(256) {
        if run.iter().fold(false, |found, &v| found | (v == best)) {
            let index = run.iter().position(|&v| v == best);
            return index.map(|index| first + index).ok_or(Error::NotANumber);
        }
        first += run.len();
    }
    Err(Error::NotANumber)
}

/// Returns a mask of the lanes that hold a NaN.
#[inline(always)]
pub(crate) fn nan_of<V: Lanes>(x: &[f32]) -> u16 {
    let mut nan = 0;
    fold_lanes!(V, x.len(), [v: x], { nan |= v.nan_lanes(); });
    nan
}

/// Returns [`Error::NotANumber`] if an element is NaN.
pub fn reject_nan(isa: Isa, x: &[f32]) -> Result<()> {
    no_nan(dispatch!(isa, nan_of(x: &[f32]) -> u16))
}
