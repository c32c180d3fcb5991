// SPDX-License-Identifier: Apache-2.0
//! Sums, dot products and maxima.
//!
//! Canonical order of a sum: sixteen partial sums start at +0.0; element `i` goes to partial
//! `i mod 16`, i ascending; the end is padded with +0.0 to a multiple of sixteen (the padding is
//! added too, which matters only for a partial of -0.0); then `p[i] += p[i + 8]` for i < 8,
//! `p[i] += p[i + 4]` for i < 4, `p[i] += p[i + 2]` for i < 2, and `p[0] + p[1]`.

use crate::error::{no_nan, shape, Error, Result};
use crate::simd::{fold, Lanes};
use crate::Isa;

#[inline(always)]
pub(crate) fn sum_of<V: Lanes>(x: &[f32]) -> f32 {
    let mut partials = V::splat(0.0);
    fold_lanes!(V, x.len(), [v: x], { partials = partials.add(v); });
    fold(partials.to_array(), |a, b| a + b)
}

/// The slices have the same length.
#[inline(always)]
pub(crate) fn dot_of<V: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    let mut partials = V::splat(0.0);
    fold_lanes!(V, a.len(), [x: a, y: b], { partials = x.fma(y, partials); });
    fold(partials.to_array(), |a, b| a + b)
}

/// The maximum with -0.0 taken as +0.0, and whether there was a NaN; -infinity for no elements.
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

/// The canonical sum; +0.0 for no elements.
pub fn sum16(isa: Isa, x: &[f32]) -> Result<f32> {
    number(dispatch!(isa, sum_of(x: &[f32]) -> f32))
}

/// The canonical sum divided by the number of elements as a float. No elements: [`Error::Shape`].
pub fn mean(isa: Isa, x: &[f32]) -> Result<f32> {
    shape(!x.is_empty())?;
    Ok(sum16(isa, x)? / x.len() as f32)
}

/// The canonical dot product: like the sum, with `p = fma(a[i], b[i], p)`.
pub fn dot16(isa: Isa, a: &[f32], b: &[f32]) -> Result<f32> {
    shape(a.len() == b.len())?;
    number(dispatch!(isa, dot_of(a: &[f32], b: &[f32]) -> f32))
}

/// The canonical sum of squares: `dot16(x, x)`.
pub fn sum_sq16(isa: Isa, x: &[f32]) -> Result<f32> {
    dot16(isa, x, x)
}

/// The largest element, +0.0 where it is a zero of either sign. No elements: [`Error::Shape`].
pub fn max(isa: Isa, x: &[f32]) -> Result<f32> {
    shape(!x.is_empty())?;
    let (best, nan) = dispatch!(isa, max_of(x: &[f32]) -> (f32, bool));
    if nan {
        return Err(Error::NotANumber);
    }
    Ok(best)
}

/// The largest absolute value; +0.0 for no elements.
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

/// The index of the largest element, the lowest of several. -0.0 and +0.0 are equal. No elements:
/// [`Error::Shape`].
pub fn argmax(isa: Isa, x: &[f32]) -> Result<usize> {
    let best = max(isa, x)?;
    // Found by equality, so the lowest index comes by itself; max has excluded NaN. Whether a run has it is a
    // question for many lanes, where in the run is not.
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

/// A bit for each lane in which there is a NaN.
#[inline(always)]
pub(crate) fn nan_of<V: Lanes>(x: &[f32]) -> u16 {
    let mut nan = 0;
    fold_lanes!(V, x.len(), [v: x], { nan |= v.nan_lanes(); });
    nan
}

/// [`Error::NotANumber`] if any element is.
pub fn reject_nan(isa: Isa, x: &[f32]) -> Result<()> {
    no_nan(dispatch!(isa, nan_of(x: &[f32]) -> u16))
}
