// SPDX-License-Identifier: Apache-2.0
//! AdamW (Loshchilov and Hutter, 2019) and gradient clipping by the global norm.
//!
//! Canonical order of one step t (from 1), with scalars computed once:
//! `decay = fma(-lr, wd, 1)`, `a = 1 - beta1`, `b = 1 - beta2`, `c1 = 1 - beta1^t`, `c2 = 1 - beta2^t`
//! (powers by squaring, see [`power`]), `rate = -(lr / c1)`, `root = sqrt(c2)`. Then for each element:
//! `g = gradient * scale`; `m = fma(beta1, m, a * g)`; `v = fma(beta2, v, (b * g) * g)`;
//! `d = sqrt(v) / root + eps`; `p = fma(rate, m / d, p * decay)`.

use crate::error::{no_nan, Error, Operation, Result};
use crate::fma::{fma, sqrt};
use crate::reduce::{sum16, sum_sq16};
use crate::simd::Lanes;
use crate::Isa;
use alloc::vec::Vec;

/// The hyperparameters of the optimiser: beta1 and beta2 lie in [0, 1), the learning rate and the weight decay are
/// finite and not negative, `eps` is finite and positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// The learning rate of this step.
    pub learning_rate: f32,
    /// The decay rate of the first moment.
    pub beta1: f32,
    /// The decay rate of the second moment.
    pub beta2: f32,
    /// Added to the square root of the second moment.
    pub eps: f32,
    /// The decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f32,
}

/// Returns `x^n` by squaring: `result = 1`; while n > 0: if n is odd `result = result * x`; `x = x * x`;
/// n is halved.
pub fn power(mut x: f32, mut n: u32) -> f32 {
    let mut result = 1.0f32;
    while n > 0 {
        if n & 1 == 1 {
            result *= x;
        }
        x *= x;
        n >>= 1;
    }
    result
}

/// The scalars of a step.
#[derive(Clone, Copy)]
struct Scalars {
    scale: f32,
    decay: f32,
    beta1: f32,
    beta2: f32,
    a: f32,
    b: f32,
    rate: f32,
    root: f32,
    eps: f32,
}

impl AdamW {
    fn scalars(&self, step: u32, scale: f32) -> Result<Scalars> {
        let fraction = |x: f32| (0.0..1.0).contains(&x);
        let rate = |x: f32| x >= 0.0 && x.is_finite();
        let fits = fraction(self.beta1)
            && fraction(self.beta2)
            && rate(self.learning_rate)
            && rate(self.weight_decay)
            && rate(self.eps)
            && self.eps > 0.0
            && step > 0
            && rate(scale);
        if !fits {
            return Err(Error::Parameter);
        }
        let c1 = 1.0 - power(self.beta1, step);
        let c2 = 1.0 - power(self.beta2, step);
        Ok(Scalars {
            scale,
            decay: fma(-self.learning_rate, self.weight_decay, 1.0),
            beta1: self.beta1,
            beta2: self.beta2,
            a: 1.0 - self.beta1,
            b: 1.0 - self.beta2,
            rate: -(self.learning_rate / c1),
            root: sqrt(c2),
            eps: self.eps,
        })
    }

    /// Applies step `step` (counted from 1) to a parameter tensor and its `first` and `second` moments, all of the same
    /// length. The gradient is multiplied by `scale` first (see [`clip_scale`]).
    #[allow(clippy::too_many_arguments)]
    pub fn step(
        &self,
        isa: Isa,
        step: u32,
        scale: f32,
        parameters: &mut [f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes>(
            s: Scalars,
            parameters: &mut [f32],
            gradient: &[f32],
            first: &mut [f32],
            second: &mut [f32],
        ) -> u16 {
            elementwise!(
                V,
                parameters.len(),
                [p: parameters, g: gradient, m: first, v: second],
                [p: parameters, m: first, v: second],
                {
                    let g = g.mul(V::splat(s.scale));
                    let m = V::splat(s.beta1).fma(m, V::splat(s.a).mul(g));
                    let v = V::splat(s.beta2).fma(v, V::splat(s.b).mul(g).mul(g));
                    let d = v.sqrt().div(V::splat(s.root)).add(V::splat(s.eps));
                    let p = V::splat(s.rate).fma(m.div(d), p.mul(V::splat(s.decay)));
                }
            )
        }
        let n = parameters.len();
        let operation = Operation("AdamW::step");
        operation.exactly("elements of the gradient", n, gradient.len())?;
        operation.exactly("elements of the first moment", n, first.len())?;
        operation.exactly("elements of the second moment", n, second.len())?;
        let s = self.scalars(step, scale)?;
        no_nan(dispatch!(
            isa,
            body(
                s: Scalars,
                parameters: &mut [f32],
                gradient: &[f32],
                first: &mut [f32],
                second: &mut [f32]
            ) -> u16
        ))
    }
}

/// Returns the global norm of all gradients: the square root of the canonical sum of each tensor's canonical sum
/// of squares, in tensor order.
pub fn global_norm(isa: Isa, tensors: &[&[f32]]) -> Result<f32> {
    let squares: Vec<f32> = tensors.iter().map(|t| sum_sq16(isa, t)).collect::<Result<_>>()?;
    norm_of_squares(isa, &squares)
}

/// Returns the global norm from each tensor's canonical sum of squares: the square root of their canonical sum. For
/// callers that compute the sums of squares on several threads.
pub fn norm_of_squares(isa: Isa, squares: &[f32]) -> Result<f32> {
    Ok(sqrt(sum16(isa, squares)?))
}

/// Returns the factor that clips gradients of this norm to `limit`: `limit / norm` if the norm is larger, otherwise 1.
pub fn clip_scale(norm: f32, limit: f32) -> Result<f32> {
    if norm.is_nan() {
        return Err(Error::NotANumber);
    }
    if limit.is_nan() || limit <= 0.0 {
        return Err(Error::Parameter);
    }
    Ok(if norm > limit { limit / norm } else { 1.0 })
}
