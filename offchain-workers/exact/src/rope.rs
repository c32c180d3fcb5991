// SPDX-License-Identifier: Apache-2.0
//! Rotary position embedding (Su et al., 2021) in the rotate-half form of Llama's published weights.
//!
//! Canonical order: the frequency of pair i of h / 2 is `theta^(-2i/h)`, made once in pairs of
//! binary32 (below) and rounded to one; `angle = position as f32 * frequency`; cos and sin of
//! [`crate::math`]. A head x of h elements is rotated by
//! `y[i] = fma(x[i], cos, -(x[i + h/2] * sin))`, `y[i + h/2] = fma(x[i + h/2], cos, x[i] * sin)`.
//! The inverse, which is also the gradient, takes -sin for sin.
//!
//! [`Scaling`] changes the frequencies of models that were trained further on longer contexts.
//!
//! An angle errs by the rounding of its frequency and of the product, at most 2^-23 of itself: less than
//! 1/64 radian below position 131,072. The binary32 tables with which such models are trained err as
//! much; this one is the same on every machine.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{area, no_nan, shape, Error, Result};
use crate::fma::fma;
use crate::math::{cos_slice, ln, sin_slice};
use crate::simd::Lanes;
use crate::Isa;

/// Upper bound of theta, the base of the frequencies; its lower bound, 1, is excluded.
pub const MAX_THETA: f32 = 1e9;
/// Upper bound of the positions of a [`RopeTable`].
pub const MAX_POSITIONS: usize = 1 << 20;

/// 2pi.
const TWO_PI: f32 = f32::from_bits(0x40c9_0fdb);

/// An unevaluated sum of two binary32 numbers, the second at most half an ulp of the first: some
/// 48 bits (Dekker, 1971).
#[derive(Clone, Copy)]
struct DoubleF32(f32, f32);

impl DoubleF32 {
    /// `a + b` for |a| >= |b|.
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

    /// `a / b` of two binary32 numbers.
    fn quotient(a: f32, b: f32) -> DoubleF32 {
        let high = a / b;
        DoubleF32::renormalised(high, fma(-high, b, a) / b)
    }

    /// e^self by its Taylor series of a 256th, squared eight times.
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

/// The frequencies `theta^(-2i/head)` for i < head / 2: `l = ln(theta)` refined by one Newton step
/// in pairs, `e^(-l * 2i/head)` in pairs, rounded to binary32. `head` even; 1 < theta <= 10^9.
pub fn frequencies(head: usize, theta: f32) -> Result<Vec<f32>> {
    shape(head > 0 && head.is_multiple_of(2) && head <= 1 << 16)?;
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

/// How frequencies are scaled. Every quotient and product below is one binary32 operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling<'a> {
    /// `f / factor` (Chen et al., 2023). `factor` finite, at least 1.
    Linear {
        /// How much longer the context became.
        factor: f32,
    },
    /// That of Llama 3.1. With `turns = (context as f32 * f) / 2pi`, those of a frequency over the
    /// original context, 2pi = 0x40c90fdb: more than `high` turns: f; less than `low`: `slow = f / factor`;
    /// else `fma((turns - low) / (high - low), f - slow, slow)`.
    Llama3 {
        /// How much longer the context became. Finite, at least 1.
        factor: f32,
        /// `low_freq_factor`, positive.
        low: f32,
        /// `high_freq_factor`, finite, above `low`.
        high: f32,
        /// `original_max_position_embeddings`, from 1 to 2^24.
        context: u32,
    },
    /// `f[i] / divisors[i]`, the divisors of a GGUF file's tensor `rope_freqs.weight`, head / 2 of them,
    /// each finite and positive.
    Divisors(&'a [f32]),
}

impl Scaling<'_> {
    /// Scales frequencies in place.
    pub fn apply(&self, frequencies: &mut [f32]) -> Result<()> {
        let lengthens = |factor: f32| factor >= 1.0 && factor.is_finite();
        match *self {
            Scaling::Linear { factor } => {
                parameter(lengthens(factor))?;
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
                parameter(lengthens(factor) && low > 0.0 && high > low && high.is_finite())?;
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
                shape(divisors.len() == frequencies.len())?;
                parameter(divisors.iter().all(|d| *d > 0.0 && d.is_finite()))?;
                for (f, d) in frequencies.iter_mut().zip(divisors) {
                    *f /= d;
                }
            }
        }
        Ok(())
    }
}

fn parameter(fits: bool) -> Result<()> {
    if fits {
        Ok(())
    } else {
        Err(Error::Parameter)
    }
}

/// The cosines and sines of positions 0, 1, ..., made once.
#[derive(Clone, Debug)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table for heads of `head` elements (even) and `positions` positions (at most 2^20).
    pub fn new(head: usize, theta: f32, positions: usize) -> Result<RopeTable> {
        RopeTable::from_frequencies(&frequencies(head, theta)?, positions)
    }

    /// The table from given frequencies (see [`Scaling`]), head / 2 of them, each in [0, 1].
    pub fn from_frequencies(frequencies: &[f32], positions: usize) -> Result<RopeTable> {
        shape(!frequencies.is_empty() && positions <= MAX_POSITIONS)?;
        parameter(frequencies.iter().all(|f| (0.0..=1.0).contains(f)))?;
        let half = frequencies.len();
        let length = area(positions, half)?;
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

    /// The elements of a head.
    pub fn head(&self) -> usize {
        2 * self.half
    }

    /// The number of positions.
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half
    }

    /// Rotates each head of each row of `x` [positions, heads * head] in place.
    pub fn rotate(&self, isa: Isa, positions: &[u32], x: &mut [f32]) -> Result<()> {
        self.rotate_by(isa, positions, x, false)
    }

    /// The inverse of [`RopeTable::rotate`], up to rounding, and its gradient.
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
        if positions.is_empty() {
            return shape(x.is_empty());
        }
        let width = x.len() / positions.len();
        shape(x.len() == width * positions.len() && width > 0 && width.is_multiple_of(self.head()))?;
        if positions.iter().any(|&p| p as usize >= self.positions()) {
            return Err(Error::IndexOutOfRange);
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
