// SPDX-License-Identifier: Apache-2.0
//! Helpers of the tests: adversarial numbers, comparison of bits, and naive implementations of canonical orders.
#![allow(dead_code)]

use agorai_exact::fma::fma;
use agorai_exact::Isa;
use proptest::prelude::*;

/// Moderate numbers and edge cases; no NaN, no infinities.
pub fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -4.0f32..4.0,
        1 => Just(0.0f32),
        1 => Just(-0.0f32),
        1 => (1u32..0x0080_0000).prop_map(f32::from_bits),
        1 => (1u32..0x0080_0000).prop_map(|b| -f32::from_bits(b)),
        1 => prop::sample::select(vec![
            f32::MIN_POSITIVE, -f32::MIN_POSITIVE, f32::EPSILON, 1.0, -1.0, 1.0 - f32::EPSILON / 2.0,
            1.0 + f32::EPSILON, 16_777_216.0, 16_777_215.0, 0.5, 1e-30, -1e-30, 1e15, -1e15,
        ]),
    ]
}

/// All numbers except NaN, with many huge and infinite ones.
pub fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => finite(),
        2 => any::<u32>().prop_map(f32::from_bits).prop_filter("NaN", |x| !x.is_nan()),
        1 => prop::sample::select(vec![
            f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 1e20,
        ]),
    ]
}

/// A vector of [`finite`] numbers.
pub fn vector(n: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(finite(), n)
}

/// Pseudorandom numbers in [-1, 1) from a seed.
pub fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(next).collect()
}

pub fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

/// Runs an operation on every instruction set of this machine, checks that the results and the bits of the outputs
/// are equal to those of the scalar implementation, and returns the latter.
pub fn same_on_every_isa<R: PartialEq + std::fmt::Debug, E: PartialEq + std::fmt::Debug>(
    mut run: impl FnMut(Isa) -> Result<(R, Vec<f32>), E>,
) -> Result<(R, Vec<f32>), E> {
    let mut bitwise = |isa| run(isa).map(|(r, out)| (r, bits(&out)));
    let scalar = bitwise(Isa::Scalar);
    for isa in Isa::available() {
        assert_eq!(bitwise(isa), scalar, "{isa:?}");
    }
    scalar.map(|(r, out)| (r, out.into_iter().map(f32::from_bits).collect()))
}

/// The FMA chain, computed naively.
pub fn chain(start: f32, terms: impl Iterator<Item = (f32, f32)>) -> f32 {
    terms.fold(start, |acc, (a, b)| fma(a, b, acc))
}

/// The canonical dot product, computed naively.
pub fn dot16(a: &[f32], b: &[f32]) -> f32 {
    let mut p = [0.0f32; 16];
    for i in 0..a.len().next_multiple_of(16) {
        let at = |x: &[f32]| x.get(i).copied().unwrap_or(0.0);
        p[i % 16] = fma(at(a), at(b), p[i % 16]);
    }
    tree(p)
}

/// The canonical sum, computed naively.
pub fn sum16(x: &[f32]) -> f32 {
    let mut p = [0.0f32; 16];
    for i in 0..x.len().next_multiple_of(16) {
        p[i % 16] += x.get(i).copied().unwrap_or(0.0);
    }
    tree(p)
}

fn tree(p: [f32; 16]) -> f32 {
    let mut p = p.to_vec();
    while p.len() > 1 {
        let half = p.len() / 2;
        p = (0..half).map(|i| p[i] + p[i + half]).collect();
    }
    p[0]
}

/// The softmax of one row, computed naively.
pub fn softmax(x: &[f32]) -> Vec<f32> {
    let m = x.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b)) + 0.0;
    let e: Vec<f32> = x.iter().map(|&v| agorai_exact::math::exp(v - m)).collect();
    let s = sum16(&e);
    e.iter().map(|v| v / s).collect()
}
