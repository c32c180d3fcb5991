// SPDX-License-Identifier: Apache-2.0
//! exp, ln, sin, cos, tanh, sigmoid, silu and gelu, each evaluated by one fixed sequence of operations.
//!
//! The polynomials are minimax approximations (Remez exchange in 120 bits, coefficients rounded to binary32 one at a
//! time, lowest power first, and the remaining ones refitted), evaluated by Horner's rule with fused multiply-adds.
//! The error bounds are measured against binary64 (`tests/math.rs`).
//!
//! | function | error | domain |
//! |---|---|---|
//! | [`exp`] | 1.1 ulp | all; 0 below -103.98, infinity above 88.73 |
//! | [`ln`] | 1 ulp | x >= 0; ln 0 = -infinity |
//! | [`sin`], [`cos`] | 2 ulp | \|x\| <= 2^20 |
//! | [`tanh`] | 2 ulp | all |
//! | [`sigmoid`] | 3 ulp | all |
//! | [`silu`] | 4 ulp | all but -infinity |
//! | [`silu_derivative`] | 4 ulp of 1 | finite |
//! | [`gelu`] | 4 ulp of x | all but -infinity |
//! | [`gelu_derivative`] | 8 ulp of 1 | \|x\| <= 2^40 |
//!
//! Outside its domain a scalar function returns NaN and a slice function [`Error::NotANumber`].
//!
//! [`Error::NotANumber`]: crate::Error::NotANumber

use crate::error::{no_nan, Operation, Result};
use crate::simd::{Lanes, Num};
use crate::Isa;

/// 1.5 * 2^23: adding it rounds to an integer, which is in the low bits of the sum.
const TO_INTEGER: f32 = 12_582_912.0;
const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7218);
const LN_2_LOW: f32 = f32::from_bits(0xb102_e308);
const TWO_OVER_PI: f32 = f32::from_bits(0x3f22_f983);
const HALF_PI: [f32; 3] = [
    f32::from_bits(0x3fc9_0fdb),
    f32::from_bits(0xb33b_bd2e),
    f32::from_bits(0xa6f7_2ced),
];
/// 2 sqrt(2/pi), and that times 0.044715 and three times that.
const GELU: [f32; 3] = [
    f32::from_bits(0x3fcc_422a),
    f32::from_bits(0x3d92_2279),
    f32::from_bits(0x3e5b_33b6),
];
/// The largest argument of sin and cos.
const MAX_ANGLE: f32 = 1_048_576.0;

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, highest power first.
const EXP: [u32; 5] = [0x3ab5_5c95, 0x3c09_1eba, 0x3d2a_ac2d, 0x3e2a_aa46, 0x3eff_fffe];
/// (ln(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f < sqrt(2), highest power first.
const LN: [u32; 9] = [
    0x3d5a_4f6c,
    0xbddf_8b22,
    0x3df8_0260,
    0xbe00_8229,
    0x3e11_817c,
    0xbe2a_9788,
    0x3e4c_d2a1,
    0xbe80_0038,
    0x3eaa_aaa4,
];
/// (sin(r) - r) / r^3 in r^2 for |r| <= pi / 4, highest power first.
const SIN: [u32; 3] = [0xb94c_a97d, 0x3c08_83bb, 0xbe2a_aaa3];
/// (cos(r) - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi / 4, highest power first.
const COS: [u32; 3] = [0x37cc_f406, 0xbab6_0614, 0x3d2a_aaa5];
/// (tanh(x) - x) / x^3 in x^2 for |x| <= 0.625, highest power first.
const TANH: [u32; 5] = [0xbbba_8662, 0x3ca8_fc66, 0xbd5c_1ad2, 0x3e08_837b, 0xbeaa_aa99];

/// Evaluates a polynomial, highest power first.
#[inline(always)]
fn horner<V: Num, const N: usize>(x: V, coefficients: &[u32; N]) -> V {
    let mut sum = V::splat_bits(coefficients[0]);
    for &c in &coefficients[1..] {
        sum = sum.fma(x, V::splat_bits(c));
    }
    sum
}

/// x clamped to [-104, 89]; n = round(x log2 e) by adding 1.5 * 2^23; r = x - n ln 2 in two steps;
/// 1 + (r + r^2 q(r)); times 2^(n >> 1), times 2^(n - (n >> 1)).
#[inline(always)]
pub(crate) fn exp_of<V: Num>(x: V) -> V {
    let low = V::splat(-104.0);
    let high = V::splat(89.0);
    let x = V::select_lt(x, low, low, x);
    let x = V::select_lt(high, x, high, x);
    let shifted = x.fma(V::splat(LOG2_E), V::splat(TO_INTEGER));
    let n = shifted.sub(V::splat(TO_INTEGER));
    let r = n.fma(V::splat(-LN_2_HIGH), x);
    let r = n.fma(V::splat(-LN_2_LOW), r);
    let q = horner(r, &EXP);
    let p = r.mul(r).fma(q, r).add(V::splat(1.0));
    let n = shifted.sub_bits(V::splat(TO_INTEGER));
    let half = n.sar(1);
    let rest = n.sub_bits(half);
    let bias = V::splat_bits(127);
    p.mul(half.add_bits(bias).shl(23)).mul(rest.add_bits(bias).shl(23))
}

/// A denormal x is scaled by 2^23 first; x = 2^k m with m in [sqrt(1/2), sqrt(2)); f = m - 1;
/// y = f^3 p(f), y = k ln2_low + y, y = -f^2/2 + y, y = f + y, k ln2_high + y.
#[inline(always)]
pub(crate) fn ln_of<V: Num>(x: V) -> V {
    let smallest_normal = V::splat(f32::MIN_POSITIVE);
    let scaled = V::select_lt(x, smallest_normal, x.mul(V::splat(8_388_608.0)), x);
    let shift = V::select_lt(x, smallest_normal, V::splat(-23.0), V::splat(0.0));
    let k = scaled.sub_bits(V::splat_bits(0x3f35_04f3)).sar(23);
    let m = scaled.sub_bits(k.shl(23));
    let k = k.int_to_float().add(shift);
    let f = m.sub(V::splat(1.0));
    let ff = f.mul(f);
    let y = ff.mul(f).mul(horner(f, &LN));
    let y = k.fma(V::splat(LN_2_LOW), y);
    let y = ff.fma(V::splat(-0.5), y);
    let y = f.add(y);
    let y = k.fma(V::splat(LN_2_HIGH), y);
    // The computation above holds for positive finite x only: infinity and NaN map to themselves, negative numbers to
    // NaN, zeros to -infinity.
    let y = V::select_lt(x, V::splat(f32::INFINITY), y, x);
    let y = V::select_lt(x, V::splat(0.0), V::splat(f32::NAN), y);
    let smallest = V::splat_bits(1);
    V::select_lt(x.abs(), smallest, V::splat(f32::NEG_INFINITY), y)
}

/// n = round(x 2/pi) by adding 1.5 * 2^23; r = x - n pi/2 in three steps; s = r + r^3 S(r^2);
/// c = (1 - r^2/2) + r^4 C(r^2). Returns (s, c, bits of which the last two are the quadrant).
#[inline(always)]
fn reduced_sin_cos<V: Num>(x: V) -> (V, V, V) {
    let quadrant = x.fma(V::splat(TWO_OVER_PI), V::splat(TO_INTEGER));
    let n = quadrant.sub(V::splat(TO_INTEGER));
    let r = n.fma(V::splat(-HALF_PI[0]), x);
    let r = n.fma(V::splat(-HALF_PI[1]), r);
    let r = n.fma(V::splat(-HALF_PI[2]), r);
    let z = r.mul(r);
    let s = r.mul(z).fma(horner(z, &SIN), r);
    let c = z.fma(V::splat(-0.5), V::splat(1.0));
    let c = z.mul(z).fma(horner(z, &COS), c);
    (s, c, quadrant)
}

/// Selects the sine or the cosine by the quadrant and sets the sign.
#[inline(always)]
fn by_quadrant<V: Num>(x: V, even: V, odd: V, quadrant: V) -> V {
    let is_odd = quadrant.and(1).int_to_float();
    let value = V::select_lt(V::splat(0.5), is_odd, odd, even);
    let value = value.xor(quadrant.and(2).shl(30));
    V::select_lt(V::splat(MAX_ANGLE), x.abs(), V::splat(f32::NAN), value)
}

#[inline(always)]
pub(crate) fn sin_of<V: Num>(x: V) -> V {
    let (s, c, quadrant) = reduced_sin_cos(x);
    by_quadrant(x, s, c, quadrant)
}

#[inline(always)]
pub(crate) fn cos_of<V: Num>(x: V) -> V {
    let (s, c, quadrant) = reduced_sin_cos(x);
    // cos(x) = sin(x + pi/2): the next quadrant.
    by_quadrant(x, s, c, quadrant.add_bits(V::splat_bits(1)))
}

/// |x| < 0.625: x + x^3 T(x^2). Otherwise 1 - 2 / (exp(2|x|) + 1) with the sign of x.
#[inline(always)]
pub(crate) fn tanh_of<V: Num>(x: V) -> V {
    let one = V::splat(1.0);
    let a = x.abs();
    let z = x.mul(x);
    let small = x.mul(z).fma(horner(z, &TANH), x);
    let e = exp_of(a.add(a));
    let large = one.sub(V::splat(2.0).div(e.add(one)));
    let large = large.or(x.xor(a));
    V::select_lt(a, V::splat(0.625), small, large)
}

/// e = exp(-|x|); (x < 0 ? e : 1) / (1 + e).
#[inline(always)]
pub(crate) fn sigmoid_of<V: Num>(x: V) -> V {
    let one = V::splat(1.0);
    let e = exp_of(x.abs().neg());
    V::select_lt(x, V::splat(0.0), e, one).div(one.add(e))
}

/// x * sigmoid(x).
#[inline(always)]
pub(crate) fn silu_of<V: Num>(x: V) -> V {
    x.mul(sigmoid_of(x))
}

/// e = exp(-|x|), d = 1 + e, s = sigmoid(x), t = sigmoid(-x), both over d; s * (1 + x t).
/// Returns (silu, its derivative).
#[inline(always)]
pub(crate) fn silu_and_derivative_of<V: Num>(x: V) -> (V, V) {
    let one = V::splat(1.0);
    let zero = V::splat(0.0);
    let e = exp_of(x.abs().neg());
    let d = one.add(e);
    let s = V::select_lt(x, zero, e, one).div(d);
    let t = V::select_lt(x, zero, one, e).div(d);
    (x.mul(s), s.mul(x.fma(t, one)))
}

/// z = x * (x x A + B), e = exp(-|z|), d = 1 + e, s = sigmoid(z), t = sigmoid(-z), both over d; x * s.
/// Since 0.5 (1 + tanh(z / 2)) = sigmoid(z), this is the tanh form of gelu.
/// Returns (gelu, its derivative s * (1 + (x t) z'), z' = x x 3A + B).
#[inline(always)]
pub(crate) fn gelu_and_derivative_of<V: Num>(x: V) -> (V, V) {
    let one = V::splat(1.0);
    let zero = V::splat(0.0);
    let square = x.mul(x);
    let z = x.mul(square.fma(V::splat(GELU[1]), V::splat(GELU[0])));
    let slope = square.fma(V::splat(GELU[2]), V::splat(GELU[0]));
    let e = exp_of(z.abs().neg());
    let d = one.add(e);
    let s = V::select_lt(z, zero, e, one).div(d);
    let t = V::select_lt(z, zero, one, e).div(d);
    (x.mul(s), s.mul(x.mul(t).fma(slope, one)))
}

/// The first result of [`gelu_and_derivative_of`].
#[inline(always)]
pub(crate) fn gelu_of<V: Num>(x: V) -> V {
    let z = x.mul(x.mul(x).fma(V::splat(GELU[1]), V::splat(GELU[0])));
    x.mul(sigmoid_of(z))
}

#[inline(always)]
fn gelu_derivative_of<V: Num>(x: V) -> V {
    gelu_and_derivative_of(x).1
}

#[inline(always)]
fn silu_derivative_of<V: Num>(x: V) -> V {
    silu_and_derivative_of(x).1
}

/// Defines a scalar function and its form over slices from one kernel.
macro_rules! function {
    ($(#[$doc:meta])* $name:ident, $slice:ident, $body:ident) => {
        $(#[$doc])*
        pub fn $name(x: f32) -> f32 {
            $body::<f32>(x)
        }

        #[doc = concat!("Writes [`", stringify!($name), "`] of every element of `x` to `out`, of the same length.")]
        pub fn $slice(isa: Isa, x: &[f32], out: &mut [f32]) -> Result<()> {
            #[inline(always)]
            fn body<V: Lanes>(x: &[f32], out: &mut [f32]) -> u16 {
                elementwise!(V, x.len(), [v: x], [y: out], { let y = $body(v); })
            }
            Operation(stringify!($slice)).exactly("elements of out", x.len(), out.len())?;
            no_nan(dispatch!(isa, body(x: &[f32], out: &mut [f32]) -> u16))
        }
    };
}

function! {
    /// The exponential function, within 1.1 ulp.
    exp, exp_slice, exp_of
}
function! {
    /// The natural logarithm, within 1 ulp.
    ln, ln_slice, ln_of
}
function! {
    /// The sine of an angle of at most 2^20, within 2 ulp.
    sin, sin_slice, sin_of
}
function! {
    /// The cosine of an angle of at most 2^20, within 2 ulp.
    cos, cos_slice, cos_of
}
function! {
    /// The hyperbolic tangent, within 2 ulp.
    tanh, tanh_slice, tanh_of
}
function! {
    /// 1 / (1 + exp(-x)), within 3 ulp.
    sigmoid, sigmoid_slice, sigmoid_of
}
function! {
    /// x * sigmoid(x), within 4 ulp.
    silu, silu_slice, silu_of
}
function! {
    /// The derivative of silu, within 4 ulp of 1.
    silu_derivative, silu_derivative_slice, silu_derivative_of
}
function! {
    /// x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel, 2016), within 4 ulp of x.
    gelu, gelu_slice, gelu_of
}
function! {
    /// The derivative of gelu, within 8 ulp of 1.
    gelu_derivative, gelu_derivative_slice, gelu_derivative_of
}
