// SPDX-License-Identifier: Apache-2.0
//! A short segment of one output, from the bytes of the file and the activations themselves.

use super::block::BLOCK;
use super::rows::QuantRows;
use crate::element::BlockFormat;
use crate::error::{shape, Error, Result};
use crate::fma::fma_software;
use crate::referee::MAX_TERMS;
use crate::Isa;

/// The accumulator of one output after a segment of its chain, from `start`: `weights` are the blocks
/// of the output's row as they stand in a file, `x` the activations at their places, a multiple of the
/// format's block. Like [`crate::referee::dot_segment`] it needs no fused multiply-add in the processor.
///
/// Refused: more than [`MAX_TERMS`] terms; lengths that do not fit each other; activations and scales
/// that are not finite; NaN, as the start or arising on the way.
pub fn quant_segment(format: BlockFormat, start: f32, weights: &[u8], x: &[f32]) -> Result<f32> {
    shape(weights.len() == format.row_bytes(x.len())?)?;
    if x.len() > MAX_TERMS {
        return Err(Error::TooManyTerms);
    }
    let mut acc = start;
    if !x.is_empty() {
        let mut rows = QuantRows::default();
        rows.quantise(Isa::Scalar, x, x.len())?;
        let zero = format.zero();
        let blocks = weights.chunks_exact(format.block_bytes());
        for (index, bytes) in blocks.enumerate() {
            let block = format.decode(bytes)?;
            let first = index * format.block_len();
            let codes = block.codes[..format.block_len()].chunks_exact(format.group());
            for (group, codes) in codes.enumerate() {
                let at = first + group * format.group();
                let (d, q) = (rows.scales()[at / BLOCK], &rows.integers()[at..]);
                let (mut dot, mut sum) = (0i32, 0i32);
                for (code, q) in codes.iter().zip(q) {
                    dot += (i32::from(*code) - zero) * i32::from(*q);
                    sum += i32::from(*q);
                }
                let (s, m) = block.scale(format, group);
                acc = fma_software(d * s, dot as f32, acc);
                if format.has_mins() {
                    acc = fma_software(-(d * m), sum as f32, acc);
                }
            }
        }
    }
    // A chain never leaves NaN once it is there, so the end tells.
    if acc.is_nan() {
        return Err(Error::NotANumber);
    }
    Ok(acc)
}
