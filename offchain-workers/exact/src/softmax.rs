// SPDX-License-Identifier: Apache-2.0
//! Softmax over rows, forward and backward.
//!
//! Canonical order of one row: `m = max(x)` (a zero is +0.0), `e[i] = exp(x[i] - m)`,
//! `s = sum16(e)`, `p[i] = e[i] / s`. Backward: `d = dot16(p, dp)`, `dx[i] = p[i] * (dp[i] - d)`.
//! A row whose maximum is infinite is rejected with [`Error::NotANumber`](crate::Error::NotANumber).

use crate::error::{no_nan, Operation, Result};
use crate::math::exp_of;
use crate::reduce::{dot_of, max_of, sum_of};
use crate::simd::Lanes;
use crate::Isa;

/// Replaces one row by its softmax. Returns (mask of NaN lanes, maximum, sum of the exponentials).
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

/// Replaces each row of `x` [rows, width] by its softmax.
pub fn softmax(isa: Isa, x: &mut [f32], width: usize) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(x: &mut [f32], width: usize) -> u16 {
        let mut nan = 0;
        for row in x.chunks_exact_mut(width) {
            nan |= softmax_row::<V>(row).0;
        }
        nan
    }
    Operation("softmax").rows_of("elements of x", width, x.len())?;
    no_nan(dispatch!(isa, body(x: &mut [f32], width: usize) -> u16))
}

/// The gradient of one row in place: `d` holds dp before and dx after. Returns the mask of NaN lanes.
#[inline(always)]
pub(crate) fn softmax_backward_row<V: Lanes>(p: &[f32], d: &mut [f32]) -> u16 {
    let dot = V::splat(dot_of::<V>(p, d));
    elementwise!(V, d.len(), [a: p, b: d], [c: d], { let c = a.mul(b.sub(dot)); })
}

/// The gradient of [`softmax`]: `p` [rows, width] is its result; `d` [rows, width] holds the gradient of the result
/// before and the gradient of the input after.
pub fn softmax_backward(isa: Isa, p: &[f32], d: &mut [f32], width: usize) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(p: &[f32], d: &mut [f32], width: usize) -> u16 {
        let mut nan = 0;
        for (p, d) in p.chunks_exact(width).zip(d.chunks_exact_mut(width)) {
            nan |= softmax_backward_row::<V>(p, d);
        }
        nan
    }
    let operation = Operation("softmax_backward");
    operation.rows_of("elements of p", width, p.len())?;
    operation.exactly("elements of d", p.len(), d.len())?;
    no_nan(dispatch!(isa, body(p: &[f32], d: &mut [f32], width: usize) -> u16))
}
