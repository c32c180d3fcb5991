// SPDX-License-Identifier: Apache-2.0
//! Elementwise arithmetic: each named operation rounds once per element.

use crate::error::{no_nan, Operation, Result};
use crate::simd::Lanes;
use crate::Isa;

/// Defines an operation that combines two inputs of the same length into an output.
macro_rules! binary {
    ($(#[$doc:meta])* $name:ident, |$x:ident, $y:ident| $value:expr) => {
        $(#[$doc])*
        pub fn $name(isa: Isa, a: &[f32], b: &[f32], out: &mut [f32]) -> Result<()> {
            #[inline(always)]
            fn body<V: Lanes>(a: &[f32], b: &[f32], out: &mut [f32]) -> u16 {
                elementwise!(V, out.len(), [$x: a, $y: b], [z: out], { let z = $value; })
            }
            let operation = Operation(stringify!($name));
            operation.exactly("elements of a", out.len(), a.len())?;
            operation.exactly("elements of b", out.len(), b.len())?;
            no_nan(dispatch!(isa, body(a: &[f32], b: &[f32], out: &mut [f32]) -> u16))
        }
    };
}

binary! {
    /// `out = a + b`.
    add, |x, y| x.add(y)
}
binary! {
    /// `out = a - b`.
    sub, |x, y| x.sub(y)
}
binary! {
    /// `out = a * b`.
    mul, |x, y| x.mul(y)
}

/// `y = y + x`.
pub fn add_assign(isa: Isa, y: &mut [f32], x: &[f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(y: &mut [f32], x: &[f32]) -> u16 {
        elementwise!(V, y.len(), [a: y, b: x], [c: y], { let c = a.add(b); })
    }
    Operation("add_assign").exactly("elements of x", y.len(), x.len())?;
    no_nan(dispatch!(isa, body(y: &mut [f32], x: &[f32]) -> u16))
}

/// `y = y + bias` for each row of `y` [rows, width]; `bias` `[width]`.
pub fn add_bias(isa: Isa, y: &mut [f32], bias: &[f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(y: &mut [f32], bias: &[f32]) -> u16 {
        let mut nan = 0;
        for row in y.chunks_exact_mut(bias.len()) {
            nan |= elementwise!(V, row.len(), [a: row, b: bias], [c: row], { let c = a.add(b); });
        }
        nan
    }
    Operation("add_bias").rows_of("elements of y", bias.len(), y.len())?;
    no_nan(dispatch!(isa, body(y: &mut [f32], bias: &[f32]) -> u16))
}

/// `y = fma(alpha, x, y)`.
pub fn axpy(isa: Isa, alpha: f32, x: &[f32], y: &mut [f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(alpha: f32, x: &[f32], y: &mut [f32]) -> u16 {
        let alpha = V::splat(alpha);
        elementwise!(V, y.len(), [a: x, b: y], [c: y], { let c = alpha.fma(a, b); })
    }
    Operation("axpy").exactly("elements of x", y.len(), x.len())?;
    no_nan(dispatch!(isa, body(alpha: f32, x: &[f32], y: &mut [f32]) -> u16))
}

/// `y = fma(alpha, y, x)`: decays y and adds x, as momentum and error feedback do.
pub fn decay_add(isa: Isa, alpha: f32, y: &mut [f32], x: &[f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(alpha: f32, y: &mut [f32], x: &[f32]) -> u16 {
        let alpha = V::splat(alpha);
        elementwise!(V, y.len(), [a: x, b: y], [c: y], { let c = alpha.fma(b, a); })
    }
    Operation("decay_add").exactly("elements of x", y.len(), x.len())?;
    no_nan(dispatch!(isa, body(alpha: f32, y: &mut [f32], x: &[f32]) -> u16))
}

/// `y = alpha * y`.
pub fn scale(isa: Isa, alpha: f32, y: &mut [f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(alpha: f32, y: &mut [f32]) -> u16 {
        let alpha = V::splat(alpha);
        elementwise!(V, y.len(), [a: y], [c: y], { let c = alpha.mul(a); })
    }
    no_nan(dispatch!(isa, body(alpha: f32, y: &mut [f32]) -> u16))
}
