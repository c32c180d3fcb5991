// SPDX-License-Identifier: Apache-2.0
//! Speed of the kernels on each instruction set, on one thread: `cargo bench -p agorai-exact [-- FILTER]`.
//!
//! The throughput is in multiply-adds (products, attention) or elements per second; the ratio of two lines with the
//! same name is the speed-up of an instruction set.

#![allow(missing_docs)] // `criterion_group!` defines an undocumented function.

use std::hint::black_box;
use std::time::Duration;

use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::element::BlockFormat;
use agorai_exact::matmul::{matmul, matmul_transposed_a, Accumulate, PackedMatrix};
use agorai_exact::norm::rmsnorm;
use agorai_exact::quant::{quant_matmul, QuantMatrix, QuantRows};
use agorai_exact::sampling::Sampling;
use agorai_exact::softmax::softmax;
use agorai_exact::{math, Isa, Result};
use criterion::measurement::WallTime;
use criterion::{criterion_group, criterion_main, BenchmarkGroup, Criterion, Throughput};

/// Returns numbers in [-1, 1), the same in every run.
fn numbers(n: usize) -> Vec<f32> {
    words(n).map(|word| (word >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// Returns pseudorandom words, the same in every run.
fn words(n: usize) -> impl Iterator<Item = u32> {
    let mut state = 1u32;
    (0..n).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    })
}

/// The maximum number of elements of an operation that is measured without vectors.
const SCALAR_ELEMENTS: usize = 1 << 28;

/// Measures an operation on each instruction set of this processor.
fn on_each_isa(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    elements: usize,
    mut run: impl FnMut(Isa) -> Result<()>,
) {
    group.throughput(Throughput::Elements(elements as u64));
    for isa in Isa::available() {
        if isa == Isa::Scalar && elements > SCALAR_ELEMENTS {
            continue;
        }
        group.bench_function(format!("{name}/{isa:?}"), |b| {
            b.iter(|| run(isa).expect("the operation accepts its arguments"));
        });
    }
}

/// Products in binary32: of rows with weights, and the gradient of the weights.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("matmul");
    for (m, k, n) in [
        (1, 2048, 2048),
        (60, 2048, 8192),
        (240, 640, 2048),
        (240, 1024, 1024),
        (2048, 384, 1024),
    ] {
        let (a, w, dy) = (numbers(m * k), numbers(n * k), numbers(m * n));
        let packed = PackedMatrix::from_out_in(n, k, &w).expect("a matrix");
        let (mut out, mut dw) = (vec![0.0; m * n], vec![0.0; n * k]);
        let mut input = PackedMatrix::default();
        on_each_isa(&mut group, &format!("{m}x{k}x{n}"), m * k * n, |isa| {
            matmul(isa, black_box(&a), &packed, &mut out)
        });
        on_each_isa(&mut group, &format!("{m}x{k}x{n} weight gradient"), m * k * n, |isa| {
            input.pack_in_out(m, k, black_box(&a))?;
            matmul_transposed_a(isa, Accumulate::Overwrite, &dy, n, 0..n, &input, &mut dw)
        });
    }
}

/// Products of 1 to 128 rows with quantised weights, quantisation of the activations included.
fn quantised_products(c: &mut Criterion) {
    let mut group = c.benchmark_group("quant_matmul");
    for (format, k, n) in [
        (BlockFormat::Q8_0, 640, 2048),
        (BlockFormat::Q5_0, 640, 2048),
        (BlockFormat::Q5_0, 2048, 8192),
        (BlockFormat::Q4K, 2048, 8192),
        (BlockFormat::Q5K, 2048, 8192),
        (BlockFormat::Q6K, 2048, 8192),
    ] {
        let w = quantised_matrix(format, n, k).expect("a matrix");
        for m in [1, 6, 64, 128] {
            let x = numbers(m * k);
            let (mut rows, mut out) = (QuantRows::default(), vec![0.0; m * n]);
            on_each_isa(
                &mut group,
                &format!("{} {m}x{k}x{n}", format.name()),
                m * k * n,
                |isa| {
                    rows.quantise(isa, black_box(&x), k)?;
                    quant_matmul(isa, Accumulate::Overwrite, &rows, &w, 0..w.panels(), &mut out)
                },
            );
        }
    }
}

/// Returns a matrix of pseudorandom blocks with small, normal scales.
fn quantised_matrix(format: BlockFormat, n: usize, k: usize) -> Result<QuantMatrix> {
    let mut bytes: Vec<u8> = words(n * format.row_bytes(k)?).map(|word| (word >> 24) as u8).collect();
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        // The high bytes of the binary16 scales of all formats.
        let high = [1, 3, block.len() - 1];
        high.into_iter().for_each(|at| block[at] = block[at] & 0x0f | 0x10);
    }
    let mut matrix = QuantMatrix::new(format, n, k)?;
    matrix.set_rows(0, &bytes)?;
    Ok(matrix)
}

/// Attention of one head: prefill of 256 tokens forward and backward, and one token with a cache of 2048.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention");
    let (t, width) = (256, 64);
    let shape = Attention {
        queries: t,
        offset: 0,
        width,
        scale: 0.125,
        window: None,
    };
    let x = numbers(t * width);
    let keys = PackedMatrix::from_out_in(t, width, &x).expect("a matrix");
    let mut scratch = Scratch::default();
    let (mut p, mut out) = (vec![0.0; t * t], vec![0.0; t * width]);
    let mut gradients = [vec![0.0; t * width], vec![0.0; t * width], vec![0.0; t * width]];
    // Two products over half of the pairs of query and key forward, four backward.
    on_each_isa(&mut group, "prefill 256x64", t * t * width, |isa| {
        shape.forward(isa, black_box(&x), &keys, &x, &mut p, &mut out, &mut scratch)
    });
    on_each_isa(&mut group, "prefill 256x64 backward", 2 * t * t * width, |isa| {
        let [dq, dk, dv] = &mut gradients;
        dk.fill(0.0);
        dv.fill(0.0);
        shape.backward(isa, black_box(&x), &x, &x, &p, &x, dq, dk, dv, &mut scratch)
    });
    let cached = 2048;
    let token = Attention {
        queries: 1,
        offset: cached - 1,
        ..shape
    };
    let x = numbers(cached * width);
    let keys = PackedMatrix::from_out_in(cached, width, &x).expect("a matrix");
    let mut p = vec![0.0; cached];
    on_each_isa(&mut group, "decode 2048x64", 2 * cached * width, |isa| {
        token.forward(
            isa,
            black_box(&x[..width]),
            &keys,
            &x,
            &mut p,
            &mut out[..width],
            &mut scratch,
        )
    });
}

/// Layers that are bound by memory or by functions.
fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("rows");
    let (count, width) = (64, 2048);
    let (x, weight) = (numbers(count * width), numbers(width));
    let (mut y, mut inv) = (vec![0.0; x.len()], vec![0.0; count]);
    on_each_isa(&mut group, "rmsnorm 64x2048", x.len(), |isa| {
        rmsnorm(isa, black_box(&x), &weight, 1e-5, &mut y, &mut inv)
    });
    on_each_isa(&mut group, "softmax 64x2048", x.len(), |isa| {
        y.copy_from_slice(black_box(&x));
        softmax(isa, &mut y, width)
    });
    on_each_isa(&mut group, "exp 131072", x.len(), |isa| {
        math::exp_slice(isa, black_box(&x), &mut y)
    });
}

/// Sampling from a vocabulary of 131,072 tokens.
fn sampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampling");
    let logits: Vec<f32> = numbers(1 << 17).iter().map(|x| 10.0 * x).collect();
    let all = Sampling {
        temperature: 0.8,
        top_k: 0,
        top_p: 1.0,
    };
    let truncated = Sampling {
        top_k: 40,
        top_p: 0.95,
        ..all
    };
    for (name, sampling) in [
        ("greedy", Sampling::GREEDY),
        ("all", all),
        ("top-k and top-p", truncated),
    ] {
        on_each_isa(&mut group, name, logits.len(), |isa| {
            sampling.sample(isa, [7; 32], 0, black_box(&logits)).map(|token| {
                black_box(token);
            })
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1));
    targets = products, quantised_products, attention, rows, sampling
}
criterion_main!(benches);
