// SPDX-License-Identifier: Apache-2.0
//! The speed of the products on each instruction set, one thread, in GFLOP/s (the best of several
//! runs): `cargo run --release -p agorai-exact --example matmul_speed -- [ROWSxINxOUT]...`. Without
//! shapes: some usual ones, and the other operations that training spends its time in.

use std::hint::black_box;
use std::time::Instant;

use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::matmul::{matmul, matmul_transposed_a, Accumulate, PackedMatrix};
use agorai_exact::{math, Isa, Result};

/// Numbers in [-1, 1), the same in every run.
fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(next).collect()
}

/// The shortest of several runs, in seconds.
fn best(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut shortest = f64::INFINITY;
    let begin = Instant::now();
    for round in 0..200 {
        let start = Instant::now();
        run()?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
        if round > 3 && begin.elapsed().as_secs_f64() > 1.0 {
            break;
        }
    }
    Ok(shortest)
}

/// A shape given as rows x in x out.
fn parse(shape: &str) -> Option<(usize, usize, usize)> {
    let mut numbers = shape.split('x').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

fn main() -> Result<()> {
    let given: Vec<_> = std::env::args().skip(1).filter_map(|s| parse(&s)).collect();
    if !given.is_empty() {
        return given.into_iter().try_for_each(products);
    }
    let shapes = [
        (240, 1024, 1024),
        (480, 2048, 2048),
        (240, 640, 2048),
        (60, 2048, 8192),
        (2048, 384, 1024),
        (1, 2048, 2048),
    ];
    shapes.into_iter().try_for_each(products)?;
    attention()?;
    let x = numbers(1 << 16);
    let mut y = vec![0.0; x.len()];
    for isa in Isa::available() {
        let seconds = best(|| math::exp_slice(isa, &x, black_box(&mut y)))?;
        println!("exp {isa:?}: {:.2} G/s", 1e-9 * x.len() as f64 / seconds);
    }
    Ok(())
}

/// The product, and the gradient of its weight, of one shape.
fn products((m, k, n): (usize, usize, usize)) -> Result<()> {
    let flops = 2e-9 * (m * n * k) as f64;
    let (a, w, dy) = (numbers(m * k), numbers(n * k), numbers(m * n));
    let packed = PackedMatrix::from_out_in(n, k, &w)?;
    let mut out = vec![0.0; m * n];
    let mut dw = vec![0.0; n * k];
    let mut input = PackedMatrix::default();
    for isa in Isa::available() {
        if isa == Isa::Scalar && flops > 0.6 {
            continue;
        }
        let forward = best(|| matmul(isa, &a, &packed, black_box(&mut out)))?;
        let gradient = best(|| {
            input.pack_in_out(m, k, &a)?;
            matmul_transposed_a(isa, Accumulate::Overwrite, &dy, n, 0..n, &input, black_box(&mut dw))
        })?;
        let (forward, gradient) = (flops / forward, flops / gradient);
        println!("{m}x{k}x{n} {isa:?}: product {forward:.1}, weight gradient {gradient:.1} GFLOP/s");
    }
    let seconds = best(|| input.pack_out_in(n, k, &w))?;
    println!("{n}x{k} packed: {:.1} GB/s", 4e-9 * (n * k) as f64 / seconds);
    Ok(())
}

fn attention() -> Result<()> {
    let (t, width) = (256, 64);
    let shape = Attention {
        queries: t,
        offset: 0,
        width,
        scale: 0.125,
        window: None,
    };
    let q = numbers(t * width);
    let (k, v, dout) = (q.clone(), q.clone(), q.clone());
    let mut keys = PackedMatrix::default();
    let mut scratch = Scratch::default();
    let mut p = vec![0.0; t * t];
    let mut out = vec![0.0; t * width];
    let mut d = [vec![0.0; t * width], vec![0.0; t * width], vec![0.0; t * width]];
    for isa in Isa::available() {
        let seconds = best(|| {
            keys.pack_out_in(t, width, &k)?;
            shape.forward(isa, &q, &keys, &v, &mut p, &mut out, &mut scratch)
        })?;
        // Two products over half of the pairs.
        let speed = 2e-9 * (t * t * width) as f64 / seconds;
        println!("attention forward {t}x{width} {isa:?}: {speed:.1} GFLOP/s");
        let seconds = best(|| {
            let [dq, dk, dv] = &mut d;
            dk.fill(0.0);
            dv.fill(0.0);
            shape.backward(isa, &q, &k, &v, &p, &dout, dq, dk, dv, &mut scratch)
        })?;
        let speed = 4e-9 * (t * t * width) as f64 / seconds;
        println!("attention backward {t}x{width} {isa:?}: {speed:.1} GFLOP/s");
    }
    Ok(())
}
