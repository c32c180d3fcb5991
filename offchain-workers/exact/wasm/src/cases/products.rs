// SPDX-License-Identifier: Apache-2.0
//! Cases of matrix products, in binary32 and quantised.

use agorai_exact::element::BlockFormat;
use agorai_exact::matmul::{matmul_panels, matmul_transposed_a as product_transposed_a, Accumulate};
use agorai_exact::quant::{quant_matmul, quantise_q8_0, QuantMatrix, QuantRows};
use agorai_exact::{referee, Isa, PackedMatrix, Result};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::draw::{Digest, Draw};

fn accumulate(draw: &mut Draw) -> Accumulate {
    match draw.below(2) {
        0 => Accumulate::Overwrite,
        _ => Accumulate::Add,
    }
}

fn panels(draw: &mut Draw, all: usize) -> Range<usize> {
    let first = draw.within(0, all);
    first..draw.within(first, all)
}

/// A range of panels of a product, and a row of the packed weights.
pub fn matmul(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (m, n) = (draw.within(1, 14), draw.within(1, 100));
    let k = [draw.within(0, 40), draw.within(1000, 1100)][usize::from(draw.below(8) == 0)];
    let (a, w) = (draw.numbers(m * k), draw.numbers(n * k));
    let packed = match draw.below(3) {
        0 => PackedMatrix::from_in_out(k, n, &w)?,
        1 if k > 0 => {
            let mut packed = PackedMatrix::zeros(n, k)?;
            for (part, rows) in w.chunks(32 * k).enumerate() {
                packed.set_rows(32 * part, rows)?;
            }
            packed
        }
        _ => PackedMatrix::from_out_in(n, k, &w)?,
    };
    let panels = panels(draw, packed.panels());
    let mut y = draw.moderate(m * packed.columns(panels.clone())?);
    if y.is_empty() {
        return Ok(());
    }
    matmul_panels(isa, accumulate(draw), &a, &packed, panels, &mut y)?;
    out.numbers(&y);
    let mut row = vec![0.0; k];
    packed.row(draw.below(n), &mut row)?;
    out.numbers(&row);
    Ok(())
}

/// The gradient of a weight.
pub fn matmul_transposed_a(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, n, k) = (draw.within(0, 40), draw.within(1, 30), draw.within(1, 70));
    let (a, b) = (draw.numbers(rows * n), draw.numbers(rows * k));
    let packed = PackedMatrix::from_in_out(rows, k, &b)?;
    let first = draw.below(n);
    let columns = first..draw.within(first, n);
    let mut y = draw.moderate(columns.len() * k);
    product_transposed_a(isa, accumulate(draw), &a, n, columns, &packed, &mut y)?;
    out.numbers(&y);
    Ok(())
}

/// A segment of a chain recomputed by the referee.
pub fn segment(_: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let n = draw.within(0, 257);
    let (start, a, b) = (draw.moderate(1)[0], draw.numbers(n), draw.numbers(n));
    out.numbers(&[referee::dot_segment(start, &a, &b)?]);
    Ok(())
}

/// Quantisation of activations.
pub fn quantise(isa: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let (rows, k) = (draw.within(0, 3), 32 * draw.within(1, 4));
    let x = draw.numbers(rows * k);
    let mut quantised = QuantRows::default();
    quantised.quantise(isa, &x, k)?;
    out.numbers(quantised.scales());
    quantised.integers().iter().for_each(|q| out.word(*q as u64));
    Ok(())
}

/// Quantisation of weights to Q8_0.
pub fn weights(_: Isa, draw: &mut Draw, out: &mut Digest) -> Result<()> {
    let count = 32 * draw.within(0, 4);
    // Most scales are small enough for binary16.
    let x: Vec<f32> = draw.numbers(count).iter().map(|x| x / 16.0).collect();
    let bytes = quantise_q8_0(&x)?;
    bytes.iter().for_each(|byte| out.word(u64::from(*byte)));
    Ok(())
}

/// Blocks of random bytes, most of them with finite binary16 scales.
fn blocks(draw: &mut Draw, format: BlockFormat, count: usize) -> Vec<u8> {
    let mut bytes = draw.bytes(count * format.block_bytes());
    // The high bytes of the scales.
    let halves: &[usize] = match format {
        BlockFormat::Q6K => &[209],
        BlockFormat::Q4_0 | BlockFormat::Q5_0 | BlockFormat::Q8_0 => &[1],
        _ => &[1, 3],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in halves {
            // Clear one bit of the exponent, mostly its highest one.
            block[at] &= [0xbf, 0xbf, 0xbf, 0xfb][draw.below(4)];
        }
    }
    if draw.below(16) == 0 {
        if let Some(byte) = bytes.get_mut(halves[0]) {
            *byte |= 0x7c;
        }
    }
    bytes
}

/// A range of panels of a product with quantised weights, and a row of the weights.
pub fn quant(isa: Isa, draw: &mut Draw, out: &mut Digest, format: BlockFormat) -> Result<()> {
    let (m, n) = (draw.within(1, 8), draw.within(1, 70));
    let per_row = draw.within(1, 512 / format.block_len() / 2 + 1);
    let k = per_row * format.block_len();
    let bytes = blocks(draw, format, n * per_row);
    let mut w = QuantMatrix::new(format, n, k)?;
    for (part, rows) in bytes.chunks(32 * format.row_bytes(k)?).enumerate() {
        w.set_rows(32 * part, rows)?;
    }
    let mut x = QuantRows::default();
    x.quantise(isa, &draw.numbers(m * k), k)?;
    let panels = panels(draw, w.panels());
    let mut y = draw.moderate(m * w.columns(panels.clone())?);
    quant_matmul(isa, accumulate(draw), &x, &w, panels, &mut y)?;
    out.numbers(&y);
    let mut row = vec![0.0; k];
    w.row(draw.below(n), &mut row)?;
    out.numbers(&row);
    Ok(())
}
