// SPDX-License-Identifier: Apache-2.0
//! Rotary position embedding (Su et al., 2021) in the rotate-half form of Llama's published weights.
//!
//! Canonical order: the frequency of pair i of h / 2 is `theta^(-2i/h)`, made once in pairs of
//! binary32 (below) and rounded to one; `angle = position as f32 * frequency`; cos and sin of
//! [`crate::math`]. A head x of h elements is rotated by
//! `y[i] = fma(x[i], cos, -(x[i + h/2] * sin))`, `y[i + h/2] = fma(x[i + h/2], cos, x[i] * sin)`.
//! The inverse, which is also the gradient, takes -sin for sin.

use alloc::vec::Vec;

use crate::error::{area, no_nan, shape, Error, Result};
use crate::fma::fma;
use crate::math::{cos, ln, sin};
use crate::simd::Lanes;
use crate::Isa;

/// An unevaluated sum of two binary32 numbers, the second at most half an ulp of the first: some
/// 48 bits (Dekker, 1971).
#[derive(Clone, Copy)]
struct Pair(f32, f32);

impl Pair {
    /// `a + b` for |a| >= |b|.
    fn renormalised(a: f32, b: f32) -> Pair {
        let high = a + b;
        Pair(high, b - (high - a))
    }

    fn plus(self, other: Pair) -> Pair {
        let high = self.0 + other.0;
        let part = high - self.0;
        let error = (self.0 - (high - part)) + (other.0 - part);
        Pair::renormalised(high, error + (self.1 + other.1))
    }

    fn times(self, other: Pair) -> Pair {
        let high = self.0 * other.0;
        let error = fma(self.0, other.0, -high);
        let cross = fma(self.0, other.1, self.1 * other.0);
        Pair::renormalised(high, error + cross)
    }

    /// `a / b` of two binary32 numbers.
    fn quotient(a: f32, b: f32) -> Pair {
        let high = a / b;
        Pair::renormalised(high, fma(-high, b, a) / b)
    }

    /// e^self by its Taylor series of a 256th, squared eight times.
    fn exp(self) -> Pair {
        const TERMS: u32 = 9;
        let small = Pair(self.0 / 256.0, self.1 / 256.0);
        let mut sum = Pair(1.0, 0.0);
        for i in (1..=TERMS).rev() {
            sum = Pair(1.0, 0.0).plus(small.times(sum).times(Pair::quotient(1.0, i as f32)));
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
    if !(theta > 1.0 && theta <= 1e9) {
        return Err(Error::Parameter);
    }
    let first = ln(theta);
    let residual = Pair(theta, 0.0)
        .times(Pair(-first, 0.0).exp())
        .plus(Pair(-1.0, 0.0));
    let log = Pair(first, 0.0).plus(residual);
    let frequency = |i: usize| {
        let share = Pair::quotient(-((2 * i) as f32), head as f32);
        log.times(share).exp().0
    };
    Ok((0..head / 2).map(frequency).collect())
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

    /// The table from given frequencies (of scaled variants), head / 2 of them, each in [0, 1].
    pub fn from_frequencies(frequencies: &[f32], positions: usize) -> Result<RopeTable> {
        shape(!frequencies.is_empty() && positions <= 1 << 20)?;
        if !frequencies.iter().all(|f| (0.0..=1.0).contains(f)) {
            return Err(Error::Parameter);
        }
        let half = frequencies.len();
        let length = area(positions, half)?;
        let mut table = RopeTable {
            half,
            cos: Vec::with_capacity(length),
            sin: Vec::with_capacity(length),
        };
        for position in 0..positions {
            for &frequency in frequencies {
                let angle = position as f32 * frequency;
                table.cos.push(cos(angle));
                table.sin.push(sin(angle));
            }
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
        self.turn(isa, positions, x, false)
    }

    /// The inverse of [`RopeTable::rotate`], up to rounding, and its gradient.
    pub fn rotate_back(&self, isa: Isa, positions: &[u32], x: &mut [f32]) -> Result<()> {
        self.turn(isa, positions, x, true)
    }

    fn turn(&self, isa: Isa, positions: &[u32], x: &mut [f32], back: bool) -> Result<()> {
        let table = self;
        #[inline(always)]
        fn body<V: Lanes>(
            table: &RopeTable,
            positions: &[u32],
            x: &mut [f32],
            width: usize,
            back: bool,
        ) -> u16 {
            let half = table.half;
            let sign = V::splat_bits(if back { 0x8000_0000 } else { 0 });
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
        shape(
            x.len() == width * positions.len() && width > 0 && width.is_multiple_of(self.head()),
        )?;
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
                back: bool
            ) -> u16
        ))
    }
}
