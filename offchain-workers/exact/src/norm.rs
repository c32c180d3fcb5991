// SPDX-License-Identifier: Apache-2.0
//! Root mean square normalisation (Zhang and Sennrich, 2019), forward and backward.
//!
//! Canonical order of one row x of n elements:
//! * forward: `inv = 1 / sqrt(sum_sq16(x) / n + eps)`, `y[j] = (x[j] * inv) * w[j]`;
//! * backward, input: `g[j] = dy[j] * w[j]`, `c = ((dot16(g, x) * inv) * inv) * inv / n`,
//!   `dx[j] = fma(-c, x[j], g[j] * inv)`;
//! * backward, weight: `dw[j] = fma(dy[j], x[j] * inv, dw[j])`, rows ascending.

use core::ops::Range;

use crate::error::{no_nan, Error, Operation, Result};
use crate::fma::sqrt;
use crate::reduce::dot_of;
use crate::simd::{fold, Lanes};
use crate::Isa;

fn check(operation: Operation, x: &[f32], width: usize, inv: &[f32]) -> Result<()> {
    operation.at_least("width", 1, width)?;
    let elements = operation.area("elements of x", inv.len(), width)?;
    operation.exactly("elements of x", elements, x.len())
}

/// Writes `y = rmsnorm(x) * weight` for each row of `x` [rows, width], `weight` `[width]`, and 1 / rms of each row to
/// `inv` `[rows]` for the backward pass. `eps` is not negative.
pub fn rmsnorm(isa: Isa, x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inv: &mut [f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inv: &mut [f32]) -> u16 {
        let width = weight.len();
        let mut nan = 0;
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
        for ((x, y), inv) in rows.zip(inv) {
            *inv = 1.0 / sqrt(dot_of::<V>(x, x) / width as f32 + eps);
            let i = V::splat(*inv);
            nan |= elementwise!(V, width, [a: x, w: weight], [z: y], { let z = a.mul(i).mul(w); });
        }
        nan
    }
    let operation = Operation("rmsnorm");
    check(operation, x, weight.len(), inv)?;
    operation.exactly("elements of y", x.len(), y.len())?;
    if eps.is_nan() || eps < 0.0 {
        return Err(Error::Parameter);
    }
    no_nan(dispatch!(
        isa,
        body(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inv: &mut [f32]) -> u16
    ))
}

/// The gradient of [`rmsnorm`] with respect to its input, for the output gradient `dy`: writes `dx`, all
/// [rows, width]; `inv` `[rows]` as [`rmsnorm`] wrote it.
pub fn rmsnorm_backward_input(
    isa: Isa,
    x: &[f32],
    weight: &[f32],
    inv: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(x: &[f32], weight: &[f32], inv: &[f32], dy: &[f32], dx: &mut [f32]) -> u16 {
        let width = weight.len();
        let mut nan = 0;
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for (((x, dy), dx), &inv) in rows.zip(dx.chunks_exact_mut(width)).zip(inv) {
            let mut partials = V::splat(0.0);
            fold_lanes!(V, width, [a: x, w: weight, d: dy], {
                partials = d.mul(w).fma(a, partials);
            });
            let dot = fold(partials.to_array(), |a, b| a + b);
            let c = V::splat(-(((dot * inv) * inv) * inv / width as f32));
            let i = V::splat(inv);
            nan |= elementwise!(V, width, [a: x, w: weight, d: dy], [z: dx], {
                let z = c.fma(a, d.mul(w).mul(i));
            });
        }
        nan
    }
    let operation = Operation("rmsnorm_backward_input");
    check(operation, x, weight.len(), inv)?;
    operation.exactly("elements of dy", x.len(), dy.len())?;
    operation.exactly("elements of dx", x.len(), dx.len())?;
    no_nan(dispatch!(
        isa,
        body(x: &[f32], weight: &[f32], inv: &[f32], dy: &[f32], dx: &mut [f32]) -> u16
    ))
}

/// The gradient of [`rmsnorm`] with respect to its weight, for a range of columns: accumulates in `dw` `[columns]`.
/// `x` and `dy` are whole, [rows, width], so that threads can compute different columns.
pub fn rmsnorm_backward_weight(
    isa: Isa,
    x: &[f32],
    width: usize,
    inv: &[f32],
    dy: &[f32],
    columns: Range<usize>,
    dw: &mut [f32],
) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(x: &[f32], width: usize, inv: &[f32], dy: &[f32], columns: Range<usize>, dw: &mut [f32]) -> u16 {
        let mut nan = 0;
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for ((x, dy), &inv) in rows.zip(inv) {
            let x = &x[columns.clone()];
            let dy = &dy[columns.clone()];
            let i = V::splat(inv);
            nan |= elementwise!(V, dw.len(), [a: x, d: dy, w: dw], [z: dw], {
                let z = d.fma(a.mul(i), w);
            });
        }
        nan
    }
    let operation = Operation("rmsnorm_backward_weight");
    check(operation, x, width, inv)?;
    operation.exactly("elements of dy", x.len(), dy.len())?;
    operation.range_within("columns", width, &columns)?;
    operation.exactly("elements of dw", columns.len(), dw.len())?;
    no_nan(dispatch!(
        isa,
        body(
            x: &[f32],
            width: usize,
            inv: &[f32],
            dy: &[f32],
            columns: Range<usize>,
            dw: &mut [f32]
        ) -> u16
    ))
}
