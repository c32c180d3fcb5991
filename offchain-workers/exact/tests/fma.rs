// SPDX-License-Identifier: Apache-2.0
//! Compares software fused multiply-add and square root with hardware.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::fma::{fma_software, sqrt_software};
use common::any_number;
use proptest::prelude::*;

fn check_fma(a: f32, b: f32, c: f32) {
    let (ours, hardware) = (fma_software(a, b, c), a.mul_add(b, c));
    let same = ours.to_bits() == hardware.to_bits() || (ours.is_nan() && hardware.is_nan());
    assert!(same, "fma({a:e}, {b:e}, {c:e}) = {ours:e}, hardware {hardware:e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn fma_equals_the_hardware_for_any_numbers(a in any_number(), b in any_number(), c in any_number()) {
        check_fma(a, b, c);
    }

    #[test]
    fn fma_equals_the_hardware_for_any_bits(a: u32, b: u32, c: u32) {
        check_fma(f32::from_bits(a), f32::from_bits(b), f32::from_bits(c));
    }

    /// The addend is within a few ulp of half an ulp of the product, or the reverse: ties and near ties, where double
    /// rounding gives a wrong result.
    #[test]
    fn fma_equals_the_hardware_near_ties(
        a in 0x0080_0000u32..0x0100_0000, b in 0x0080_0000u32..0x0100_0000,
        c in 0x0080_0000u32..0x0100_0000, low in 0u32..4, shift in -60i32..60, signs in 0u32..8,
        scale in -80i32..40,
    ) {
        let sign = |bit: u32, x: f32| if signs & bit == 0 { x } else { -x };
        let two = |e: i32| 2f64.powi(e);
        // Few low bits in c make ties common.
        let c = (c & 0xff80_0000) | low;
        let a = sign(1, (f64::from(a) * two(-23 + scale)) as f32);
        let b = sign(2, (f64::from(b) * two(-23)) as f32);
        let c = sign(4, (f64::from(c) * two(-23 + scale + shift)) as f32);
        check_fma(a, b, c);
        check_fma(c, 1.0, a * b);
        check_fma(a, b, -(a * b));
        check_fma(a, f32::from_bits(0x3f80_0001), c);
    }

    /// The results are denormal.
    #[test]
    fn fma_equals_the_hardware_for_tiny_results(a: u32, b: u32, c in 0u32..0x0100_0000, ea in 20u32..127) {
        let with_exponent = |x: u32, e: u32| f32::from_bits((x & 0x807f_ffff) | (e << 23));
        check_fma(with_exponent(a, ea), with_exponent(b, 127 - ea + 10), f32::from_bits(c));
        check_fma(with_exponent(a, ea), with_exponent(b, 127u32.saturating_sub(ea)), -f32::from_bits(c));
    }

    #[test]
    fn sqrt_equals_the_hardware_for_any_bits(x: u32) {
        check_sqrt(x);
    }
}

fn check_sqrt(x: u32) {
    let x = f32::from_bits(x);
    let (ours, hardware) = (sqrt_software(x), x.sqrt());
    let same = ours.to_bits() == hardware.to_bits() || (ours.is_nan() && hardware.is_nan());
    assert!(same, "sqrt({x:e}) = {ours:e}, hardware {hardware:e}");
}

#[test]
fn sqrt_equals_the_hardware_over_the_whole_range() {
    (0..=u32::MAX).step_by(1009).for_each(check_sqrt);
    // Mantissas of two consecutive exponents: all other exponents differ by scaling only.
    (0x3f80_0000..0x4080_0000).step_by(3).for_each(check_sqrt);
    [
        0,
        1,
        2,
        0x007f_ffff,
        0x0080_0000,
        0x7f7f_ffff,
        0x7f80_0000,
        0x8000_0000,
        0x8000_0001,
    ]
    .into_iter()
    .for_each(check_sqrt);
}
