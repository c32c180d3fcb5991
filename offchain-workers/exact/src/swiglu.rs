// SPDX-License-Identifier: Apache-2.0
//! The gated activation of Llama's feed-forward layer: `silu(gate) * up`.

use crate::error::{no_nan, shape, Result};
use crate::math::{silu_and_derivative_of, silu_of};
use crate::simd::Lanes;
use crate::Isa;

/// `out = silu(gate) * up`.
pub fn swiglu(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(gate: &[f32], up: &[f32], out: &mut [f32]) -> u16 {
        elementwise!(V, out.len(), [g: gate, u: up], [y: out], { let y = silu_of(g).mul(u); })
    }
    shape(gate.len() == out.len() && up.len() == out.len())?;
    no_nan(dispatch!(isa, body(gate: &[f32], up: &[f32], out: &mut [f32]) -> u16))
}

/// The gradient of [`swiglu`]: `dgate = (dout * up) * silu'(gate)`, `dup = dout * silu(gate)`.
pub fn swiglu_backward(
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
            let (silu, slope) = silu_and_derivative_of(g);
            let a = d.mul(u).mul(slope);
            let b = d.mul(silu);
        })
    }
    let n = dout.len();
    shape(gate.len() == n && up.len() == n && dgate.len() == n && dup.len() == n)?;
    no_nan(dispatch!(
        isa,
        body(gate: &[f32], up: &[f32], dout: &[f32], dgate: &mut [f32], dup: &mut [f32]) -> u16
    ))
}
