// SPDX-License-Identifier: Apache-2.0
//! The speed of products with quantised weights on each instruction set, by one thread and by two,
//! beside that of only reading memory: `cargo run --release -p agorai-exact --example quant_speed`.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use agorai_exact::element::BlockFormat;
use agorai_exact::matmul::Accumulate;
use agorai_exact::quant::{quant_matmul, QuantMatrix, QuantRows};
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
        ends.into_iter().for_each(|at| block[at] = block[at] & 0x0f | 0x10);
    }
    Ok(bytes)
}

/// Seconds of the shortest of the runs that fit in 0.3 seconds.
fn shortest(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut shortest = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 0.3 {
        let start = Instant::now();
        run()?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(shortest)
}

/// Reads words in runs that the compiler makes vectors of.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; 32];
    for words in words.chunks_exact(32) {
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum ^= word;
        }
    }
    sums.into_iter().fold(0, |a, b| a ^ b)
}

/// What the product is measured against: 256 MiB, read once by so many threads.
fn reading(threads: usize) -> Result<f64> {
    let words = vec![1u64; 32 << 20];
    let part = words.len() / threads;
    let seconds = shortest(|| {
        thread::scope(|scope| {
            for words in words.chunks_exact(part) {
                scope.spawn(|| black_box(sum(black_box(words))));
            }
        });
        Ok(())
    })?;
    Ok(8e-9 * words.len() as f64 / seconds)
}

/// The product, by threads over panels where there is one row, else over rows.
fn product(isa: Isa, x: &[f32], w: &QuantMatrix, quantised: &mut [QuantRows], out: &mut [f32]) -> Result<()> {
    let (k, n, threads) = (w.in_features(), w.out_features(), quantised.len());
    let m = x.len() / k;
    thread::scope(|scope| {
        let mut running = Vec::with_capacity(threads);
        if m == 1 {
            quantised[0].quantise(isa, x, k)?;
            let (q, mut rest) = (&quantised[0], out);
            for t in 0..threads {
                let panels = w.panels() * t / threads..w.panels() * (t + 1) / threads;
                let (out, others) = rest.split_at_mut(w.columns(panels.clone())?);
                rest = others;
                running.push(scope.spawn(move || quant_matmul(isa, Accumulate::Overwrite, q, w, panels, out)));
            }
        } else {
            let rows = m.div_ceil(threads);
            let parts = x.chunks(rows * k).zip(out.chunks_mut(rows * n));
            for ((x, out), q) in parts.zip(quantised) {
                running.push(scope.spawn(move || {
                    q.quantise(isa, x, k)?;
                    quant_matmul(isa, Accumulate::Overwrite, q, w, 0..w.panels(), out)
                }));
            }
        }
        running
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a product does not panic"))
    })
}

fn main() -> Result<()> {
    for threads in [1, 2] {
        println!("reading, {threads} threads: {:.1} GB/s", reading(threads)?);
    }
    for (format, n, k) in [
        (BlockFormat::Q8_0, 262_144, 640),
        (BlockFormat::Q8_0, 2048, 640),
        (BlockFormat::Q5_0, 2048, 640),
        (BlockFormat::Q5_0, 8192, 2048),
        (BlockFormat::Q4K, 8192, 2048),
        (BlockFormat::Q5K, 8192, 2048),
        (BlockFormat::Q6K, 8192, 2048),
    ] {
        let mut w = QuantMatrix::new(format, n, k)?;
        let bytes = rows(format, n, k)?;
        w.set_rows(0, &bytes)?;
        let size = QuantMatrix::size_bytes(format, n, k).expect("a size") as f64;
        let packed = size / bytes.len() as f64;
        println!("{format:?} {k} -> {n}: {packed:.3} of the file's bytes");
        for m in [1, 6, 64, 128] {
            let x: Vec<f32> = (0..m * k).map(|i| (i % 97) as f32 - 48.0).collect();
            let mut out = vec![0.0; m * n];
            for isa in [Isa::Avx2, Isa::Avx512] {
                for threads in [1, 2] {
                    let mut quantised = vec![QuantRows::default(); threads];
                    let seconds = shortest(|| product(isa, &x, &w, &mut quantised, black_box(&mut out)))?;
                    println!(
                        "  {m} rows, {isa:?}, {threads} threads: {:.1} GMAC/s, {:.1} GB/s of weights",
                        1e-9 * (m * n * k) as f64 / seconds,
                        1e-9 * size / seconds,
                    );
                }
            }
        }
    }
    Ok(())
}
