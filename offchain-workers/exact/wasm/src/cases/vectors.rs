// SPDX-License-Identifier: Apache-2.0
//! Cases of vectors: functions, elementwise arithmetic, reductions, top-k, random words.

use agorai_exact::{elementwise, fma, rng, topk, Isa, Result};
use alloc::vec;
use alloc::vec::Vec;

use super::draw::{Digest, Draw};

/// The maximum length: several vectors of sixteen lanes and a partial one.
const MAX_LEN: usize = 70;

/// Adds a result that may be NaN; the payload of a NaN is unspecified.
fn number_or_nan(out: &mut Digest, x: f32) {
    match x.is_nan() {
        true => out.word(u64::MAX),
        false => out.word(u64::from(x.to_bits())),
    }
}

/// Fused multiply-add and square root, by the default implementation and in software.
pub fn fma_and_sqrt(_: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    for _ in 0..200 {
        let [a, b, mut c] = core::array::from_fn(|_| match draw.below(3) {
            0 => f32::from_bits(draw.word() as u32),
            _ => draw.moderate(1)[0],
        });
        if draw.below(4) == 0 {
            // Nearly cancelling terms.
            c = -(a * b);
        }
        number_or_nan(out, fma::fma(a, b, c));
        number_or_nan(out, fma::fma_software(a, b, c));
        number_or_nan(out, fma::sqrt(a));
        number_or_nan(out, fma::sqrt_software(a));
    }
    Ok(())
}

/// A function of arbitrary bits, and of a slice of numbers in its domain.
pub fn function(
    isa: Isa,
    draw: &mut Draw,
    out: &mut Digest,
    scalar: fn(f32) -> f32,
    slice: fn(Isa, &[f32], &mut [f32]) -> Result<()>,
) -> Result<()> {
    let count = draw.within(0, MAX_LEN);
    let mut x = draw.numbers(count);
    for x in &mut x {
        match draw.below(4) {
            0 => *x = f32::from_bits(draw.word() as u32),
            1 => *x *= 30.0,
            _ => {}
        }
        number_or_nan(out, scalar(*x));
    }
    let mut all = vec![0.0; x.len()];
    out.word(u64::from(slice(isa, &x, &mut all).is_ok()));
    x.retain(|x| !scalar(*x).is_nan());
    let mut y = vec![0.0; x.len()];
    slice(isa, &x, &mut y)?;
    out.numbers(&y);
    Ok(())
}

/// An operation of two vectors into a third.
type Binary = fn(Isa, &[f32], &[f32], &mut [f32]) -> Result<()>;

/// A case of [`Binary`].
pub fn binary(isa: Isa, draw: &mut Draw, out: &mut Digest, operation: Binary) -> Result<()> {
    let count = draw.within(0, MAX_LEN);
    let (a, b) = (draw.numbers(count), draw.numbers(count));
    let mut c = vec![0.0; count];
    operation(isa, &a, &b, &mut c)?;
    out.numbers(&c);
    Ok(())
}

/// An operation that updates a vector by another one of the same length, at least 1.
pub fn update(
    isa: Isa,
    draw: &mut Draw,
    out: &mut Digest,
    operation: fn(Isa, &mut [f32], &[f32]) -> Result<()>,
) -> Result<()> {
    let count = draw.within(1, MAX_LEN);
    let (mut y, x) = (draw.numbers(count), draw.numbers(count));
    operation(isa, &mut y, &x)?;
    out.numbers(&y);
    Ok(())
}

pub fn add_bias(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, width) = (draw.within(0, 4), draw.within(1, MAX_LEN));
    let (mut y, bias) = (draw.numbers(rows * width), draw.numbers(width));
    elementwise::add_bias(isa, &mut y, &bias)?;
    out.numbers(&y);
    Ok(())
}

/// An operation from a vector, which may be empty, to a number.
pub fn reduction(isa: Isa, draw: &mut Draw, out: &mut Digest, operation: fn(Isa, &[f32]) -> Result<f32>) -> Result<()> {
    let count = draw.within(0, 300);
    let x = draw.numbers(count);
    out.numbers(&[operation(isa, &x)?]);
    Ok(())
}

pub fn top_k(_: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let count = draw.within(0, 300);
    let (x, k) = (draw.numbers(count), draw.below(320));
    let mut indices = Vec::new();
    topk::top_k_abs(&x, k, &mut indices)?;
    indices.iter().for_each(|i| out.word(u64::from(*i)));
    Ok(())
}

pub fn random_words(_: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let mut words = rng::Words::new(draw.key(), draw.word());
    for _ in 0..40 {
        let index = draw.word() as u32;
        out.word(u64::from(words.word(index)));
        out.numbers(&[words.uniform(index)]);
    }
    Ok(())
}
