// SPDX-License-Identifier: Apache-2.0
//! Gated activations: `silu(gate) * up` of Llama and Qwen, `gelu(gate) * up` of Gemma
//! (Shazeer, 2020).
//!
//! Canonical order: `out = f(gate) * up`; `dgate = (dout * up) * f'(gate)`, `dup = dout * f(gate)`.

use crate::error::{no_nan, Operation, Result};
use crate::math::{gelu_and_derivative_of, gelu_of, silu_and_derivative_of, silu_of};
use crate::simd::Lanes;
use crate::Isa;

/// Defines a gated activation and its gradient from the kernels of the activation function.
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
            let operation = Operation(stringify!($name));
            operation.exactly("elements of gate", out.len(), gate.len())?;
            operation.exactly("elements of up", out.len(), up.len())?;
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
            let operation = Operation(stringify!($backward));
            operation.exactly("elements of gate", n, gate.len())?;
            operation.exactly("elements of up", n, up.len())?;
            operation.exactly("elements of dgate", n, dgate.len())?;
            operation.exactly("elements of dup", n, dup.len())?;
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
    /// `out = silu(gate) * up`, all of the same length.
    swiglu, silu_of;
    /// The gradient of [`swiglu`] for the output gradient `dout`: writes `dgate` and `dup`.
    swiglu_backward, silu_and_derivative_of
}
gated! {
    /// `out = gelu(gate) * up`, all of the same length, with the tanh form of gelu ([`crate::math::gelu`]).
    geglu, gelu_of;
    /// The gradient of [`geglu`] for the output gradient `dout`: writes `dgate` and `dup`.
    geglu_backward, gelu_and_derivative_of
}
