// SPDX-License-Identifier: Apache-2.0
//! Quantisation of activations to 8 bits.

use alloc::vec::Vec;
use core::ops::Range;

use super::block::{Left, BLOCK};
use crate::error::{Error, Operation, Result};
use crate::simd::{fold, Lanes, LANES};
use crate::Isa;

/// 2^-100: blocks whose largest magnitude is below it are quantised to zeros, so that 127 / amax is finite.
const SMALLEST: f32 = f32::from_bits(0x0d80_0000);
/// The number of blocks whose scales are computed together, so that the divisions are vectorised.
const SCALES: usize = 16;
/// 1.5 * 2^23: adding it rounds to an integer, which is in the low bits of the sum.
const TO_INTEGER: f32 = 12_582_912.0;

/// Rows of activations, quantised in blocks of 32 (see [the module](super) for the definition). Quantising again reuses
/// the memory.
#[derive(Clone, Debug, Default)]
pub struct QuantRows {
    k: usize,
    /// `[rows, k]`.
    q: Vec<i8>,
    /// `[rows, k / 32]`.
    d: Vec<f32>,
    /// Sums of sixteen q, `[rows, k / 16]`.
    sums: Vec<i32>,
}

impl QuantRows {
    /// Quantises `x` [rows, in_features], in_features a multiple of 32; [`Error::NotFinite`] for infinities and NaN.
    pub fn quantise(&mut self, isa: Isa, x: &[f32], in_features: usize) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes>(x: &[f32], q: &mut [i8], d: &mut [f32], sums: &mut [i32]) -> Result<()> {
            let mut finite = true;
            let together = SCALES * BLOCK;
            let parts = x.chunks(together).zip(q.chunks_mut(together));
            let scales = d.chunks_mut(SCALES).zip(sums.chunks_mut(together / LANES));
            for ((x, q), (d, sums)) in parts.zip(scales) {
                let mut inverses = [0.0f32; SCALES];
                for (x, d) in x.chunks_exact(BLOCK).zip(d.iter_mut()) {
                    let (a, b) = (V::load(x), V::load(&x[LANES..]));
                    finite &= (a.nan_lanes() | b.nan_lanes()) == 0;
                    // NaN is detected above; `f32::max` would test for it at every step.
                    let larger = |a, b| if a > b { a } else { b };
                    *d = fold(a.abs().max(b.abs()).to_array(), larger);
                }
                for (d, inverse) in d.iter_mut().zip(&mut inverses) {
                    let amax = *d;
                    finite &= amax < f32::INFINITY;
                    (*d, *inverse) = match amax < SMALLEST {
                        true => (0.0, 0.0),
                        false => (amax / 127.0, 127.0 / amax),
                    };
                }
                let halves = x.chunks_exact(LANES).zip(q.chunks_exact_mut(LANES));
                for (index, ((x, q), sum)) in halves.zip(sums).enumerate() {
                    let inverse = V::splat(inverses[index / (BLOCK / LANES)]);
                    let shifted = V::load(x).mul(inverse).add(V::splat(TO_INTEGER));
                    let lanes = shifted.sub_bits(V::splat(TO_INTEGER)).to_array();
                    let mut total = 0i32;
                    for (q, lane) in q.iter_mut().zip(lanes) {
                        *q = lane.to_bits() as i8;
                        // Values that are not finite give arbitrary integers before the error is returned.
                        total = total.wrapping_add(lane.to_bits() as i32);
                    }
                    *sum = total;
                }
            }
            if finite {
                Ok(())
            } else {
                Err(Error::NotFinite)
            }
        }
        let k = in_features;
        let operation = Operation("quantise");
        operation.multiple_of("input features", BLOCK, k)?;
        operation.rows_of("elements of x", k, x.len())?;
        self.k = k;
        self.q.resize(x.len(), 0);
        self.d.resize(x.len() / BLOCK, 0.0);
        self.sums.resize(x.len() / LANES, 0);
        let (q, d, sums) = (&mut self.q[..], &mut self.d[..], &mut self.sums[..]);
        dispatch!(
            isa,
            body(x: &[f32], q: &mut [i8], d: &mut [f32], sums: &mut [i32]) -> Result<()>
        )
    }

    /// Returns the number of values of a row.
    pub fn in_features(&self) -> usize {
        self.k
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.q.len().checked_div(self.k).unwrap_or(0)
    }

    /// Returns the integers of all rows, `[rows, in_features]`.
    pub fn integers(&self) -> &[i8] {
        &self.q
    }

    /// Returns the scales of all blocks, `[rows, in_features / 32]`.
    pub fn scales(&self) -> &[f32] {
        &self.d
    }

    /// Returns a range of existing rows as the left operand of a product.
    pub(super) fn left(&self, rows: Range<usize>) -> Left<'_> {
        let multiply_chunk = |width: usize| rows.start * width..rows.end * width;
        Left {
            q: &self.q[multiply_chunk(self.k)],
            d: &self.d[multiply_chunk(self.k / BLOCK)],
            sums: &self.sums[multiply_chunk(self.k / LANES)],
            k: self.k,
        }
    }
}
