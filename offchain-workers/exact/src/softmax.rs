// SPDX-License-Identifier: Apache-2.0
//! Softmax over rows, forward and backward.
//!
//! Canonical order, for one row: `m = max(x)` (a zero is +0.0), `e[i] = exp(x[i] - m)`,
//! `s = sum16(e)`, `p[i] = e[i] / s`. Backward: `d = dot16(p, dp)`, `dx[i] = p[i] * (dp[i] - d)`.
//! A row whose maximum is infinite has no softmax and is [`Error::NotANumber`](crate::Error::NotANumber).

use crate::error::{no_nan, shape, Result};
use crate::math::exp_of;
use crate::reduce::{dot_of, max_of, sum_of};
use crate::simd::Lanes;
use crate::Isa;

/// Softmax of one row in place. Gives (NaN lanes, maximum, sum of the exponentials).
#[inline(always)]
pub(crate) fn softmax_row<V: Lanes>(x: &mut [f32]) -> (u16, f32, f32) {
    let (largest, nan) = max_of::<V>(x);
    let mut nan = u16::from(nan);
    let m = V::splat(largest);
    nan |= elementwise!(V, x.len(), [v: x], [e: x], { let e = exp_of(v.sub(m)); });
    let sum = sum_of::<V>(x);
    let s = V::splat(sum);
    nan |= elementwise!(V, x.len(), [e: x], [p: x], { let p = e.div(s); });
    (nan, largest, sum)
}

/// Softmax of each row of `x` [rows, width] in place.
pub fn softmax(isa: Isa, x: &mut [f32], width: usize) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(x: &mut [f32], width: usize) -> u16 {
        let mut nan = 0;
        for row in x.chunks_exact_mut(width) {
            nan |= softmax_row::<V>(row).0;
        }
        nan
    }
    shape(width > 0 && x.len().is_multiple_of(width))?;
    no_nan(dispatch!(isa, body(x: &mut [f32], width: usize) -> u16))
}

/// The gradient of one row, in place: `d` is dp and becomes dx.
#[inline(always)]
pub(crate) fn softmax_backward_row<V: Lanes>(p: &[f32], d: &mut [f32]) -> u16 {
    let dot = V::splat(dot_of::<V>(p, d));
    elementwise!(V, d.len(), [a: p, b: d], [c: d], { let c = a.mul(b.sub(dot)); })
}

/// The gradient of [`softmax`]: `p` [rows, width] is its result, `d` its gradient, replaced by the
/// gradient of the input.
pub fn softmax_backward(isa: Isa, p: &[f32], d: &mut [f32], width: usize) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(p: &[f32], d: &mut [f32], width: usize) -> u16 {
        let mut nan = 0;
        for (p, d) in p.chunks_exact(width).zip(d.chunks_exact_mut(width)) {
            nan |= softmax_backward_row::<V>(p, d);
        }
        nan
    }
    shape(width > 0 && p.len() == d.len() && p.len().is_multiple_of(width))?;
    no_nan(dispatch!(isa, body(p: &[f32], d: &mut [f32], width: usize) -> u16))
}
