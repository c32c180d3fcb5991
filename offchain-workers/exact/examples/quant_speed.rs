// SPDX-License-Identifier: Apache-2.0
//! The speed of products with quantised weights on each instruction set, one thread:
//! `cargo run --release -p agorai-exact --example quant_speed`.

use std::hint::black_box;
use std::time::Instant;

use agorai_exact::matmul::Chain;
use agorai_exact::quant::{quant_matmul, BlockFormat, QuantMatrix, QuantRows};
use agorai_exact::{Isa, Result};

/// Bytes, the same in every run; the scales are made small and normal.
fn rows(format: BlockFormat, n: usize, k: usize) -> Result<Vec<u8>> {
    let mut state = 1u32;
    let mut bytes: Vec<u8> = (0..n * format.row_bytes(k)?)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        let ends = [1, 3, block.len() - 1];
        ends.into_iter()
            .for_each(|at| block[at] = block[at] & 0x0f | 0x10);
    }
    Ok(bytes)
}

fn main() -> Result<()> {
    for (format, n, k) in [
        (BlockFormat::Q8_0, 262_144, 640),
        (BlockFormat::Q8_0, 2048, 640),
        (BlockFormat::Q5_0, 2048, 640),
        (BlockFormat::Q5_0, 8192, 2048),
        (BlockFormat::Q4K, 8192, 2048),
        (BlockFormat::Q5K, 8192, 2048),
        (BlockFormat::Q6K, 8192, 2048),
    ] {
        let mut matrix = QuantMatrix::new(format, n, k)?;
        let bytes = rows(format, n, k)?;
        matrix.set_rows(0, &bytes)?;
        let packed = matrix.bytes() as f64 / bytes.len() as f64;
        for m in [1, 6, 64, 128] {
            let x: Vec<f32> = (0..m * k).map(|i| (i % 97) as f32 - 48.0).collect();
            let mut out = vec![0.0; m * n];
            let mut quantised = QuantRows::default();
            for isa in [Isa::Avx2, Isa::Avx512] {
                let mut shortest = f64::INFINITY;
                let begin = Instant::now();
                while begin.elapsed().as_secs_f64() < 0.3 {
                    let start = Instant::now();
                    quantised.quantise(isa, &x, k)?;
                    quant_matmul(
                        isa,
                        Chain::Start,
                        &quantised,
                        &matrix,
                        0..matrix.panels(),
                        black_box(&mut out),
                    )?;
                    shortest = shortest.min(start.elapsed().as_secs_f64());
                }
                println!(
                    "{format:?} {m}x{k}x{n} {isa:?}: {:.1} GMAC/s, {:.1} GB/s of weights ({packed:.3} of the file)",
                    1e-9 * (m * n * k) as f64 / shortest,
                    1e-9 * matrix.bytes() as f64 / shortest,
                );
            }
        }
    }
    Ok(())
}
