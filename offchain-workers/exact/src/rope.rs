// SPDX-License-Identifier: Apache-2.0
//! Rotary position embedding (Su et al., 2021) in the rotate-half form of Llama's published weights.
//!
//! Canonical order: the frequency of pair i of h / 2 is `theta^(-2i/h)`, computed in double-binary32 arithmetic
//! ([`frequencies`]) and rounded to binary32; `angle = position as f32 * frequency`; cos and sin of
//! [`crate::math`]. A head x of h elements is rotated by
//! `y[i] = fma(x[i], cos, -(x[i + h/2] * sin))`, `y[i + h/2] = fma(x[i + h/2], cos, x[i] * sin)`.
//! The inverse, which is also the gradient, uses -sin for sin.
//!
//! [`Scaling`] changes the frequencies of models whose context was extended after pre-training.
//!
//! The relative error of an angle is that of rounding its frequency and the product, at most 2^-23: less than
//! 1/64 radian below position 131,072. The binary32 tables used in training have errors of the same size; this table
//! has the same bits on every machine.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{no_nan, Error, Operation, Result};
use crate::fma::fma;
use crate::math::{cos_slice, ln, sin_slice};
use crate::simd::Lanes;
use crate::Isa;

/// The maximum of theta, the base of the frequencies; its minimum, 1, is excluded.
pub const MAX_THETA: f32 = 1e9;
/// The maximum number of positions of a [`RopeTable`].
pub const MAX_POSITIONS: usize = 1 << 20;

/// 2 pi.
const TWO_PI: f32 = f32::from_bits(0x40c9_0fdb);

/// An unevaluated sum of two binary32 numbers, the second at most half an ulp of the first: about 48 bits
/// (Dekker, 1971).
#[derive(Clone, Copy)]
struct DoubleF32(f32, f32);

impl DoubleF32 {
    /// Returns `a + b` for |a| >= |b|.
    fn renormalised(a: f32, b: f32) -> DoubleF32 {
        let high = a + b;
        DoubleF32(high, b - (high - a))
    }

    fn plus(self, other: DoubleF32) -> DoubleF32 {
        let high = self.0 + other.0;
        let part = high - self.0;
        let error = (self.0 - (high - part)) + (other.0 - part);
        DoubleF32::renormalised(high, error + (self.1 + other.1))
    }

    fn times(self, other: DoubleF32) -> DoubleF32 {
        let high = self.0 * other.0;
        let error = fma(self.0, other.0, -high);
        let cross = fma(self.0, other.1, self.1 * other.0);
        DoubleF32::renormalised(high, error + cross)
    }

    /// Returns `a / b` of two binary32 numbers.
    fn quotient(a: f32, b: f32) -> DoubleF32 {
        let high = a / b;
        DoubleF32::renormalised(high, fma(-high, b, a) / b)
    }

    /// Returns e^self: the Taylor series at self / 256, squared eight times.
    fn exp(self) -> DoubleF32 {
        const TERMS: u32 = 9;
        let small = DoubleF32(self.0 / 256.0, self.1 / 256.0);
        let mut sum = DoubleF32(1.0, 0.0);
        for i in (1..=TERMS).rev() {
            sum = DoubleF32(1.0, 0.0).plus(small.times(sum).times(DoubleF32::quotient(1.0, i as f32)));
        }
        for _ in 0..8 {
            sum = sum.times(sum);
        }
        sum
    }
}

/// Returns the frequencies `theta^(-2i/head)` for i < head / 2: `l = ln(theta)` refined by one Newton step and
/// `e^(-l * 2i/head)`, both in double-binary32 arithmetic, rounded to binary32.
///
/// `head`, the elements of a head, is even, at least 2 and at most 2^16; 1 < theta <= [`MAX_THETA`].
pub fn frequencies(head: usize, theta: f32) -> Result<Vec<f32>> {
    let operation = Operation("frequencies");
    operation.at_least("head", 2, head)?;
    operation.multiple_of("head", 2, head)?;
    operation.at_most("head", 1 << 16, head)?;
    parameter(theta > 1.0 && theta <= MAX_THETA)?;
    let approximate = ln(theta);
    let residual = DoubleF32(theta, 0.0)
        .times(DoubleF32(-approximate, 0.0).exp())
        .plus(DoubleF32(-1.0, 0.0));
    let log = DoubleF32(approximate, 0.0).plus(residual);
    let frequency = |i: usize| {
        let share = DoubleF32::quotient(-((2 * i) as f32), head as f32);
        log.times(share).exp().0
    };
    Ok((0..head / 2).map(frequency).collect())
}

/// A scaling of the frequencies. Every quotient and product below is one binary32 operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling<'a> {
    /// `f / factor` (Chen et al., 2023). `factor` finite, at least 1.
    Linear {
        /// The ratio of the extended to the original context length.
        factor: f32,
    },
    /// The scaling of Llama 3.1. With `turns = (context as f32 * f) / 2pi`, the turns of a frequency over the
    /// original context, 2pi = 0x40c90fdb: f if `turns > high`; `slow = f / factor` if `turns < low`;
    /// otherwise `fma((turns - low) / (high - low), f - slow, slow)`.
    Llama3 {
        /// The ratio of the extended to the original context length. Finite, at least 1.
        factor: f32,
        /// `low_freq_factor`, positive.
        low: f32,
        /// `high_freq_factor`, finite, above `low`.
        high: f32,
        /// `original_max_position_embeddings`, from 1 to 2^24.
        context: u32,
    },
    /// `f[i] / divisors[i]`: the divisors are the tensor `rope_freqs.weight` of a GGUF file, head / 2 of them, each
    /// finite and positive.
    Divisors(&'a [f32]),
}

impl Scaling<'_> {
    /// Scales `frequencies` `[head / 2]` in place.
    pub fn apply(&self, frequencies: &mut [f32]) -> Result<()> {
        let is_factor = |factor: f32| factor >= 1.0 && factor.is_finite();
        match *self {
            Scaling::Linear { factor } => {
                parameter(is_factor(factor))?;
                for f in frequencies {
                    *f /= factor;
                }
            }
            Scaling::Llama3 {
                factor,
                low,
                high,
                context,
            } => {
                parameter(is_factor(factor) && low > 0.0 && high > low && high.is_finite())?;
                parameter((1..=1 << 24).contains(&context))?;
                for f in frequencies {
                    let turns = (context as f32 * *f) / TWO_PI;
                    let slow = *f / factor;
                    if turns < low {
                        *f = slow;
                    } else if turns <= high {
                        *f = fma((turns - low) / (high - low), *f - slow, slow);
                    }
                }
            }
            Scaling::Divisors(divisors) => {
                Operation("Scaling::apply").exactly("divisors", frequencies.len(), divisors.len())?;
                parameter(divisors.iter().all(|d| *d > 0.0 && d.is_finite()))?;
                for (f, d) in frequencies.iter_mut().zip(divisors) {
                    *f /= d;
                }
            }
        }
        Ok(())
    }
}

/// Returns [`Error::Parameter`] unless the condition holds.
fn parameter(fits: bool) -> Result<()> {
    if fits {
        Ok(())
    } else {
        Err(Error::Parameter)
    }
}

/// The cosines and sines of the angles of positions 0, 1, ....
#[derive(Clone, Debug)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// Computes the table for heads of `head` elements (even) and `positions` positions, at most [`MAX_POSITIONS`].
    pub fn new(head: usize, theta: f32, positions: usize) -> Result<RopeTable> {
        RopeTable::from_frequencies(&frequencies(head, theta)?, positions)
    }

    /// Computes the table from `frequencies` `[head / 2]`, each in [0, 1], scaled if needed (see [`Scaling`]).
    pub fn from_frequencies(frequencies: &[f32], positions: usize) -> Result<RopeTable> {
        let operation = Operation("RopeTable::from_frequencies");
        operation.at_least("frequencies", 1, frequencies.len())?;
        operation.at_most("positions", MAX_POSITIONS, positions)?;
        parameter(frequencies.iter().all(|f| (0.0..=1.0).contains(f)))?;
        let half = frequencies.len();
        let length = operation.area("elements of the table", positions, half)?;
        let mut table = RopeTable {
            half,
            cos: Vec::new(),
            sin: Vec::new(),
        };
        for values in [&mut table.cos, &mut table.sin] {
            values.try_reserve_exact(length).map_err(|_| Error::OutOfMemory)?;
        }
        table.cos.resize(length, 0.0);
        table.sin.resize(length, 0.0);
        let isa = Isa::detect();
        let mut angles = vec![0.0; half];
        let rows = table.cos.chunks_exact_mut(half);
        for (position, (c, s)) in rows.zip(table.sin.chunks_exact_mut(half)).enumerate() {
            for (angle, frequency) in angles.iter_mut().zip(frequencies) {
                *angle = position as f32 * frequency;
            }
            cos_slice(isa, &angles, c)?;
            sin_slice(isa, &angles, s)?;
        }
        Ok(table)
    }

    /// Returns the number of elements of a head.
    pub fn head(&self) -> usize {
        2 * self.half
    }

    /// Returns the number of positions.
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half
    }

    /// Rotates each head of each row of `x` [positions, heads * head] in place.
    pub fn rotate(&self, isa: Isa, positions: &[u32], x: &mut [f32]) -> Result<()> {
        self.rotate_by(isa, positions, x, false)
    }

    /// The inverse of [`RopeTable::rotate`] up to rounding; also its gradient.
    pub fn rotate_inverse(&self, isa: Isa, positions: &[u32], x: &mut [f32]) -> Result<()> {
        self.rotate_by(isa, positions, x, true)
    }

    fn rotate_by(&self, isa: Isa, positions: &[u32], x: &mut [f32], inverse: bool) -> Result<()> {
        let table = self;
        #[inline(always)]
        fn body<V: Lanes>(table: &RopeTable, positions: &[u32], x: &mut [f32], width: usize, inverse: bool) -> u16 {
            let half = table.half;
            let sign = V::splat_bits(if inverse { 0x8000_0000 } else { 0 });
            let mut nan = 0;
            for (&position, row) in positions.iter().zip(x.chunks_exact_mut(width)) {
                let at = position as usize * half;
                let cos = &table.cos[at..at + half];
                let sin = &table.sin[at..at + half];
                for head in row.chunks_exact_mut(2 * half) {
                    let (low, high) = head.split_at_mut(half);
                    nan |= elementwise!(
                        V,
                        half,
                        [a: low, b: high, c: cos, s: sin],
                        [y: low, z: high],
                        {
                            let s = s.xor(sign);
                            let y = a.fma(c, b.mul(s).neg());
                            let z = b.fma(c, a.mul(s));
                        }
                    );
                }
            }
            nan
        }
        let operation = Operation("rotate");
        if positions.is_empty() {
            return operation.exactly("elements of x", 0, x.len());
        }
        let width = x.len() / positions.len();
        operation.multiple_of("elements of x", positions.len(), x.len())?;
        operation.at_least("width", 1, width)?;
        operation.multiple_of("width", self.head(), width)?;
        for &position in positions {
            operation.index(position as usize, self.positions())?;
        }
        no_nan(dispatch!(
            isa,
            body(
                table: &RopeTable,
                positions: &[u32],
                x: &mut [f32],
                width: usize,
                inverse: bool
            ) -> u16
        ))
    }
}
