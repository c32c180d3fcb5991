// SPDX-License-Identifier: Apache-2.0
//! Compares the functions with binary64: the errors are within the documented bounds, and the bits are the same on
//! every instruction set.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::{math, Error, Isa, Result};
use common::{any_number, bits};
use proptest::prelude::*;

/// The distance of consecutive binary32 numbers at a value.
fn ulp(x: f64) -> f64 {
    let x = (x.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    let next = f32::from_bits(x.to_bits() + 1);
    if next.is_infinite() {
        return f64::from(x) - f64::from(f32::from_bits(x.to_bits() - 1));
    }
    f64::from(next) - f64::from(x)
}

/// The largest error in ulp over bit patterns in [low, high] and, if `mirror`, their negatives.
fn worst(low: f32, high: f32, mirror: bool, ours: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
    let mut worst = 0.0f64;
    let step = ((high.to_bits() - low.to_bits()) / 1_500_000).max(1) as usize;
    let mut check = |x: f32| {
        let (ours, exact) = (ours(x), exact(f64::from(x)));
        if exact.abs() > f64::from(f32::MAX) {
            assert!(ours.abs() >= 3.4e38, "{x:e}: {ours:e}");
            return;
        }
        let error = (f64::from(ours) - exact).abs() / ulp(exact);
        assert!(error < 1e3, "{x:e}: {ours:e} for {exact:e}");
        worst = worst.max(error);
    };
    for bits in (low.to_bits()..=high.to_bits()).step_by(step) {
        check(f32::from_bits(bits));
        if mirror {
            check(-f32::from_bits(bits));
        }
    }
    println!("worst error {worst:.3} ulp");
    worst
}

#[test]
fn exp_error_is_at_most_1_1_ulp() {
    assert!(worst(0.0, 120.0, true, math::exp, f64::exp) <= 1.1);
}

#[test]
fn ln_error_is_at_most_1_ulp() {
    let tiny = f32::from_bits(1);
    assert!(worst(tiny, f32::MAX, false, math::ln, f64::ln) <= 1.0);
    assert!(worst(0.5, 2.0, false, math::ln, f64::ln) <= 1.0);
}

#[test]
fn sin_and_cos_errors_are_at_most_2_ulp() {
    assert!(worst(0.0, 1_048_576.0, true, math::sin, f64::sin) <= 2.0);
    assert!(worst(0.0, 1_048_576.0, true, math::cos, f64::cos) <= 2.0);
    assert!(worst(0.5, 1000.0, true, math::sin, f64::sin) <= 2.0);
    assert!(worst(0.5, 1000.0, true, math::cos, f64::cos) <= 2.0);
}

#[test]
fn tanh_error_is_at_most_2_ulp() {
    assert!(worst(0.0, 100.0, true, math::tanh, f64::tanh) <= 2.0);
    assert!(worst(0.1, 10.0, true, math::tanh, f64::tanh) <= 2.0);
}

#[test]
fn sigmoid_error_is_at_most_3_and_silu_by_4_ulp() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let silu = |x: f64| x / (1.0 + (-x).exp());
    assert!(worst(0.0, 110.0, true, math::sigmoid, sigmoid) <= 3.0);
    assert!(worst(0.0, 80.0, true, math::silu, silu) <= 4.0);
    assert!(worst(0.1, 10.0, true, math::silu, silu) <= 4.0);
}

#[test]
fn silu_derivative_error_is_at_most_4_ulp_of_1() {
    for bits in (0..100f32.to_bits()).step_by(997) {
        for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
            let wide = f64::from(x);
            let s = 1.0 / (1.0 + (-wide).exp());
            let exact = s * (1.0 + wide * (1.0 - s));
            let error = (f64::from(math::silu_derivative(x)) - exact).abs();
            assert!(error <= 4.0 * f64::from(f32::EPSILON), "{x:e}: {error:e}");
        }
    }
}

#[test]
fn gelu_error_is_at_most_4_ulp_of_its_argument_and_its_derivative_by_8_ulp_of_1() {
    let c = (2.0 / std::f64::consts::PI).sqrt();
    for bits in (0..100f32.to_bits()).step_by(997) {
        for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
            let wide = f64::from(x);
            let tanh = (c * (wide + 0.044715 * wide.powi(3))).tanh();
            let exact = 0.5 * wide * (1.0 + tanh);
            let error = (f64::from(math::gelu(x)) - exact).abs();
            assert!(error <= 4.0 * ulp(wide), "{x:e}: {error:e}");
            let inner = c * (1.0 + 3.0 * 0.044715 * wide * wide);
            let exact = 0.5 * (1.0 + tanh) + 0.5 * wide * (1.0 - tanh * tanh) * inner;
            let error = (f64::from(math::gelu_derivative(x)) - exact).abs();
            assert!(error <= 8.0 * f64::from(f32::EPSILON), "{x:e}: {error:e}");
        }
    }
}

#[test]
fn special_values_are_the_limits() {
    let inf = f32::INFINITY;
    let same = |a: f32, b: f32| assert_eq!(a.to_bits(), b.to_bits());
    same(math::exp(0.0), 1.0);
    same(math::exp(-0.0), 1.0);
    same(math::exp(inf), inf);
    same(math::exp(-inf), 0.0);
    same(math::exp(f32::MAX), inf);
    same(math::exp(f32::MIN), 0.0);
    same(math::ln(1.0), 0.0);
    same(math::ln(0.0), -inf);
    same(math::ln(-0.0), -inf);
    same(math::ln(inf), inf);
    same(math::sin(0.0), 0.0);
    same(math::cos(0.0), 1.0);
    same(math::gelu(inf), inf);
    same(math::gelu(f32::MAX), f32::MAX);
    same(math::gelu(-1e30), -0.0);
    same(math::gelu(-0.0), -0.0);
    same(math::tanh(inf), 1.0);
    same(math::tanh(-inf), -1.0);
    same(math::tanh(0.0), 0.0);
    same(math::sigmoid(inf), 1.0);
    same(math::sigmoid(-inf), 0.0);
    same(math::sigmoid(0.0), 0.5);
    same(math::silu(inf), inf);
    assert!(math::ln(-1.0).is_nan());
    assert!(math::sin(2e6).is_nan());
    assert!(math::cos(inf).is_nan());
    for f in [math::exp, math::ln, math::sin, math::tanh, math::sigmoid, math::silu] {
        assert!(f(f32::NAN).is_nan());
    }
}

type Function = (fn(f32) -> f32, fn(Isa, &[f32], &mut [f32]) -> Result<()>);

const FUNCTIONS: [Function; 8] = [
    (math::exp, math::exp_slice),
    (math::ln, math::ln_slice),
    (math::sin, math::sin_slice),
    (math::cos, math::cos_slice),
    (math::tanh, math::tanh_slice),
    (math::sigmoid, math::sigmoid_slice),
    (math::silu, math::silu_slice),
    (math::silu_derivative, math::silu_derivative_slice),
];

fn check_slices(x: &[f32]) {
    for (function, slice) in FUNCTIONS {
        // First the arguments whose result is a number, then all: a NaN must be rejected at any position.
        let good: Vec<f32> = x.iter().copied().filter(|&x| !function(x).is_nan()).collect();
        let expected: Vec<f32> = good.iter().map(|&x| function(x)).collect();
        for isa in Isa::available() {
            let mut out = vec![7.0; good.len()];
            slice(isa, &good, &mut out).unwrap();
            assert_eq!(bits(&out), bits(&expected), "{isa:?}");
            let mut out = vec![7.0; x.len()];
            let result = slice(isa, x, &mut out);
            let rejected = good.len() < x.len();
            assert_eq!(result, if rejected { Err(Error::NotANumber) } else { Ok(()) });
        }
    }
}

proptest! {
    #[test]
    fn slices_have_the_scalar_bits_for_any_numbers(x in prop::collection::vec(any_number(), 0..70)) {
        check_slices(&x);
    }

    #[test]
    fn slices_have_the_scalar_bits_for_any_bits(x in prop::collection::vec(any::<u32>(), 0..40)) {
        let x: Vec<f32> = x.into_iter().map(f32::from_bits).collect();
        check_slices(&x);
    }
}

#[test]
fn slices_have_the_scalar_bits_over_the_whole_range() {
    let x: Vec<f32> = (0..=u32::MAX).step_by(65_537).map(f32::from_bits).collect();
    check_slices(&x);
}

#[test]
fn slices_are_rejected_when_the_lengths_differ() {
    assert!(matches!(
        math::exp_slice(Isa::detect(), &[1.0], &mut [0.0; 2]),
        Err(Error::Shape { .. })
    ));
}
