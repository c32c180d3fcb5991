// SPDX-License-Identifier: Apache-2.0
//! Recomputation of a short segment of one output's chain from the bytes of the weight file and the activations.

use super::block::BLOCK;
use super::rows::QuantRows;
use crate::element::BlockFormat;
use crate::error::{Error, Operation, Result};
use crate::fma::fma_software;
use crate::referee::MAX_TERMS;
use crate::Isa;

/// Returns the accumulator of one output after a segment of its chain, from `start`: `weights` are the blocks of the
/// output's row in the file's encoding, `x` the activations of these blocks. Like [`crate::referee::dot_segment`] it
/// uses software arithmetic only.
///
/// [`Error::Shape`] unless `x` has whole blocks and `weights` their bytes; [`Error::TooManyTerms`] for more than
/// [`MAX_TERMS`] activations; [`Error::NotFinite`] for activations and scales that are not finite;
/// [`Error::NotANumber`] for NaN in `start` or in the result.
pub fn quant_segment(format: BlockFormat, start: f32, weights: &[u8], x: &[f32]) -> Result<f32> {
    Operation("quant_segment").exactly("bytes of the weights", format.row_bytes(x.len())?, weights.len())?;
    if x.len() > MAX_TERMS {
        return Err(Error::TooManyTerms);
    }
    let mut acc = start;
    if !x.is_empty() {
        let mut rows = QuantRows::default();
        rows.quantise(Isa::Scalar, x, x.len())?;
        let zero = format.zero_point();
        let blocks = weights.chunks_exact(format.block_bytes());
        for (index, bytes) in blocks.enumerate() {
            let block = format.decode(bytes)?;
            let first = index * format.block_len();
            let codes = block.codes[..format.block_len()].chunks_exact(format.group_len());
            for (group, codes) in codes.enumerate() {
                let at = first + group * format.group_len();
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
    // An accumulator that is NaN stays NaN, so checking the last one is enough.
    if acc.is_nan() {
        return Err(Error::NotANumber);
    }
    Ok(acc)
}
