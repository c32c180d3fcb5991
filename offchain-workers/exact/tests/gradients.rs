// SPDX-License-Identifier: Apache-2.0
//! Compares every backward pass with central differences of a binary64 forward pass.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::gated::{geglu_backward, swiglu_backward};
use agorai_exact::matmul::{matmul, matmul_transposed_a, Accumulate};
use agorai_exact::norm::{rmsnorm, rmsnorm_backward_input, rmsnorm_backward_weight};
use agorai_exact::rope::RopeTable;
use agorai_exact::softmax::{softmax, softmax_backward};
use agorai_exact::{loss, Isa, PackedMatrix};
use common::numbers;

/// Checks a gradient of sum(weights * forward(x)) against central differences.
fn check(name: &str, x: &[f32], gradient: &[f32], weights: &[f32], forward: &dyn Fn(&[f64]) -> Vec<f64>) {
    const STEP: f64 = 1e-5;
    let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let objective = |x: &[f64]| -> f64 {
        let out = forward(x);
        assert_eq!(out.len(), weights.len());
        out.iter().zip(weights).map(|(y, &w)| y * f64::from(w)).sum()
    };
    assert_eq!(x.len(), gradient.len());
    assert!(gradient.iter().any(|&g| g != 0.0), "{name}");
    let largest = gradient.iter().fold(0.0f64, |m, &g| m.max(f64::from(g).abs()));
    for (i, &ours) in gradient.iter().enumerate() {
        let at = |delta: f64| {
            let mut moved = wide.clone();
            moved[i] += delta;
            objective(&moved)
        };
        let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let error = (f64::from(ours) - numeric).abs();
        assert!(error <= 2e-5 * largest, "{name} [{i}]: {ours} for {numeric}");
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

fn softmax_wide(x: &[f64]) -> Vec<f64> {
    let m = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = x.iter().map(|v| (v - m).exp()).collect();
    let s: f64 = e.iter().sum();
    e.iter().map(|v| v / s).collect()
}

#[test]
fn matmul_gradients_equal_the_central_differences() {
    let (m, n, k) = (5, 19, 7);
    let (x, w, dy) = (numbers(m * k, 1), numbers(n * k, 2), numbers(m * n, 3));
    let product = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let y = |at: usize| (0..k).map(|t| x[at / n * k + t] * w[at % n * k + t]).sum();
        (0..m * n).map(y).collect()
    };
    let (x64, w64) = (wide(&x), wide(&w));
    for isa in Isa::available() {
        let mut dx = vec![0.0; m * k];
        matmul(isa, &dy, &PackedMatrix::from_in_out(n, k, &w).unwrap(), &mut dx).unwrap();
        check("dx", &x, &dx, &dy, &|x| product(x, &w64));
        let mut dw = vec![0.0; n * k];
        let packed = PackedMatrix::from_in_out(m, k, &x).unwrap();
        matmul_transposed_a(isa, Accumulate::Overwrite, &dy, n, 0..n, &packed, &mut dw).unwrap();
        check("dw", &w, &dw, &dy, &|w| product(&x64, w));
    }
}

#[test]
fn rmsnorm_gradients_equal_the_central_differences() {
    let (rows, width, eps) = (3, 21, 1e-5f32);
    let (x, w, dy) = (numbers(rows * width, 1), numbers(width, 2), numbers(rows * width, 3));
    let norm = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let row = |x: &[f64]| -> Vec<f64> {
            let mean = x.iter().map(|v| v * v).sum::<f64>() / width as f64;
            let inv = 1.0 / (mean + f64::from(eps)).sqrt();
            x.iter().zip(w).map(|(x, w)| x * inv * w).collect()
        };
        x.chunks(width).flat_map(row).collect()
    };
    let (x64, w64) = (wide(&x), wide(&w));
    for isa in Isa::available() {
        let (mut y, mut inv) = (vec![0.0; x.len()], vec![0.0; rows]);
        rmsnorm(isa, &x, &w, eps, &mut y, &mut inv).unwrap();
        let mut dx = vec![0.0; x.len()];
        rmsnorm_backward_input(isa, &x, &w, &inv, &dy, &mut dx).unwrap();
        check("dx", &x, &dx, &dy, &|x| norm(x, &w64));
        let mut dw = vec![0.0; width];
        rmsnorm_backward_weight(isa, &x, width, &inv, &dy, 0..width, &mut dw).unwrap();
        check("dw", &w, &dw, &dy, &|w| norm(&x64, w));
    }
}

#[test]
fn softmax_gradient_equal_the_central_differences() {
    let width = 13;
    let (x, dp) = (numbers(2 * width, 1), numbers(2 * width, 2));
    for isa in Isa::available() {
        let mut p = x.clone();
        softmax(isa, &mut p, width).unwrap();
        let mut dx = dp.clone();
        softmax_backward(isa, &p, &mut dx, width).unwrap();
        check("dx", &x, &dx, &dp, &|x| {
            x.chunks(width).flat_map(softmax_wide).collect()
        });
    }
}

#[test]
fn swiglu_gradients_equal_the_central_differences() {
    let (gate, up, d) = (numbers(37, 1), numbers(37, 2), numbers(37, 3));
    let gate: Vec<f32> = gate.iter().map(|x| 6.0 * x).collect();
    let forward = |gate: &[f64], up: &[f64]| -> Vec<f64> {
        gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect()
    };
    let (g64, u64s) = (wide(&gate), wide(&up));
    for isa in Isa::available() {
        let (mut dgate, mut dup) = (vec![0.0; 37], vec![0.0; 37]);
        swiglu_backward(isa, &gate, &up, &d, &mut dgate, &mut dup).unwrap();
        check("dgate", &gate, &dgate, &d, &|g| forward(g, &u64s));
        check("dup", &up, &dup, &d, &|u| forward(&g64, u));
    }
}

#[test]
fn geglu_gradients_equal_the_central_differences() {
    let (gate, up, d) = (numbers(37, 1), numbers(37, 2), numbers(37, 3));
    let gate: Vec<f32> = gate.iter().map(|x| 4.0 * x).collect();
    let c = (2.0 / std::f64::consts::PI).sqrt();
    let gelu = |x: f64| 0.5 * x * (1.0 + (c * (x + 0.044715 * x.powi(3))).tanh());
    let forward = |gate: &[f64], up: &[f64]| -> Vec<f64> { gate.iter().zip(up).map(|(g, u)| gelu(*g) * u).collect() };
    let (g64, u64s) = (wide(&gate), wide(&up));
    for isa in Isa::available() {
        let (mut dgate, mut dup) = (vec![0.0; 37], vec![0.0; 37]);
        geglu_backward(isa, &gate, &up, &d, &mut dgate, &mut dup).unwrap();
        check("dgate", &gate, &dgate, &d, &|g| forward(g, &u64s));
        check("dup", &up, &dup, &d, &|u| forward(&g64, u));
    }
}

#[test]
fn cross_entropy_gradient_equal_the_central_differences() {
    let width = 23;
    let logits: Vec<f32> = numbers(3 * width, 1).iter().map(|x| 3.0 * x).collect();
    let targets = [5, loss::IGNORE_INDEX, 22];
    let forward = |x: &[f64]| -> Vec<f64> {
        let row = |(x, &t): (&[f64], &u32)| match t {
            loss::IGNORE_INDEX => 0.0,
            t => -softmax_wide(x)[t as usize].ln(),
        };
        x.chunks(width).zip(&targets).map(row).collect()
    };
    for isa in Isa::available() {
        let (mut d, mut losses) = (logits.clone(), [0.0; 3]);
        loss::cross_entropy_backward(isa, &mut d, width, &targets, 0.5, &mut losses).unwrap();
        check("dlogits", &logits, &d, &[0.5; 3], &forward);
        for (ours, exact) in losses.iter().zip(forward(&wide(&logits))) {
            assert!((f64::from(*ours) - exact).abs() < 1e-5);
        }
    }
}

#[test]
fn rope_gradient_equal_the_central_differences() {
    let (half, positions) = (6, [3u32, 11]);
    let table = RopeTable::new(2 * half, 100.0, 12).unwrap();
    let (x, dy) = (numbers(2 * 4 * half, 1), numbers(2 * 4 * half, 2));
    let forward = |x: &[f64]| -> Vec<f64> {
        let mut y = x.to_vec();
        for (row, position) in y.chunks_mut(4 * half).zip(positions) {
            for head in row.chunks_mut(2 * half) {
                for i in 0..half {
                    let angle = f64::from(position) * 100f64.powf(-(i as f64) / half as f64);
                    let (a, b) = (head[i], head[i + half]);
                    head[i] = a * angle.cos() - b * angle.sin();
                    head[i + half] = b * angle.cos() + a * angle.sin();
                }
            }
        }
        y
    };
    for isa in Isa::available() {
        let mut dx = dy.clone();
        table.rotate_inverse(isa, &positions, &mut dx).unwrap();
        check("dx", &x, &dx, &dy, &forward);
    }
}

#[test]
fn attention_gradients_equal_the_central_differences() {
    for (queries, offset, width) in [(14, 0, 16), (5, 4, 7)] {
        let shape = Attention {
            queries,
            offset,
            width,
            scale: 0.4,
            window: None,
        };
        let n = shape.keys();
        let (q, dout) = (numbers(queries * width, 1), numbers(queries * width, 4));
        let (k, v) = (numbers(n * width, 2), numbers(n * width, 3));
        let forward = |q: &[f64], k: &[f64], v: &[f64]| -> Vec<f64> {
            let mut out = vec![];
            for i in 0..queries {
                let dot = |j: usize| -> f64 { (0..width).map(|c| q[i * width + c] * k[j * width + c]).sum() };
                let x: Vec<f64> = (0..=offset + i).map(|j| 0.4 * dot(j)).collect();
                let p = softmax_wide(&x);
                for c in 0..width {
                    out.push(p.iter().enumerate().map(|(j, p)| p * v[j * width + c]).sum());
                }
            }
            out
        };
        let (q64, k64, v64) = (wide(&q), wide(&k), wide(&v));
        for isa in Isa::available() {
            let keys = PackedMatrix::from_out_in(n, width, &k).unwrap();
            let (mut p, mut out) = (vec![0.0; queries * n], vec![0.0; q.len()]);
            let mut scratch = Scratch::default();
            shape
                .forward(isa, &q, &keys, &v, &mut p, &mut out, &mut scratch)
                .unwrap();
            let [mut dq, mut dk, mut dv] = [vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]];
            shape
                .backward(isa, &q, &k, &v, &p, &dout, &mut dq, &mut dk, &mut dv, &mut scratch)
                .unwrap();
            check("dq", &q, &dq, &dout, &|q| forward(q, &k64, &v64));
            check("dk", &k, &dk, &dout, &|k| forward(&q64, k, &v64));
            check("dv", &v, &dv, &dout, &|v| forward(&q64, &k64, v));
        }
    }
}
