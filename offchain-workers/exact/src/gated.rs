// SPDX-License-Identifier: Apache-2.0
//! Gated activations: `silu(gate) * up` of Llama and Qwen, `gelu(gate) * up` of Gemma
//! (Shazeer, 2020).
//!
//! Canonical order: `out = f(gate) * up`; `dgate = (dout * up) * f'(gate)`, `dup = dout * f(gate)`.

use crate::error::{no_nan, shape, Result};
use crate::math::{gelu_and_derivative_of, gelu_of, silu_and_derivative_of, silu_of};
use crate::simd::Lanes;
use crate::Isa;

/// A gated activation and its gradient from the bodies of the function.
macro_rules! gated {
    (
        $(#[$doc:meta])* $name:ident, $value:ident;
        $(#[$back_doc:meta])* $backward:ident, $both:ident
    ) => {
        $(#[$doc])*
        pub fn $name(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) -> Result<()> {
            #[inline(always)]
            fn body<V: Lanes>(gate: &[f32], up: &[f32], out: &mut [f32]) -> u16 {
                elementwise!(V, out.len(), [g: gate, u: up], [y: out], {
                    let y = $value(g).mul(u);
                })
            }
            shape(gate.len() == out.len() && up.len() == out.len())?;
            no_nan(dispatch!(isa, body(gate: &[f32], up: &[f32], out: &mut [f32]) -> u16))
        }

        $(#[$back_doc])*
        pub fn $backward(
            isa: Isa,
            gate: &[f32],
            up: &[f32],
            dout: &[f32],
            dgate: &mut [f32],
            dup: &mut [f32],
        ) -> Result<()> {
            #[inline(always)]
            fn body<V: Lanes>(
                gate: &[f32],
                up: &[f32],
                dout: &[f32],
                dgate: &mut [f32],
                dup: &mut [f32],
            ) -> u16 {
                elementwise!(V, dout.len(), [g: gate, u: up, d: dout], [a: dgate, b: dup], {
                    let (value, slope) = $both(g);
                    let a = d.mul(u).mul(slope);
                    let b = d.mul(value);
                })
            }
            let n = dout.len();
            shape(gate.len() == n && up.len() == n && dgate.len() == n && dup.len() == n)?;
            no_nan(dispatch!(
                isa,
                body(
                    gate: &[f32],
                    up: &[f32],
                    dout: &[f32],
                    dgate: &mut [f32],
                    dup: &mut [f32]
                ) -> u16
            ))
        }
    };
}

gated! {
    /// `out = silu(gate) * up`.
    swiglu, silu_of;
    /// The gradient of [`swiglu`]: writes `dgate` and `dup`.
    swiglu_backward, silu_and_derivative_of
}
gated! {
    /// `out = gelu(gate) * up`, with the tanh form of gelu ([`crate::math::gelu`]).
    geglu, gelu_of;
    /// The gradient of [`geglu`]: writes `dgate` and `dup`.
    geglu_backward, gelu_and_derivative_of
}
