// SPDX-License-Identifier: Apache-2.0
//! Golden hashes of all operations on fixed inputs, the same on every machine, with and without the `std` feature.
//! A change of a hash is a change of the numerics that models are defined in, and requires a new profile.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::adamw::AdamW;
use agorai_exact::attention::{Attention, Scratch};
use agorai_exact::gated::{geglu, geglu_backward, swiglu, swiglu_backward};
use agorai_exact::matmul::{matmul, matmul_transposed_a, Accumulate};
use agorai_exact::norm::{rmsnorm, rmsnorm_backward_input, rmsnorm_backward_weight};
use agorai_exact::rope::{frequencies, RopeTable, Scaling};
use agorai_exact::sampling::Sampling;
use agorai_exact::{loss, math, reduce, Isa, PackedMatrix};
use common::numbers;

/// FNV-1a over the bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fingerprint(u64);

impl Fingerprint {
    fn of(parts: &[&[f32]]) -> Fingerprint {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for byte in parts.iter().flat_map(|p| p.iter()).flat_map(|x| x.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Fingerprint(hash)
    }
}

fn check(name: &str, golden: u64, run: impl Fn(Isa) -> Fingerprint) {
    for isa in Isa::available() {
        assert_eq!(run(isa).0, golden, "{name} {isa:?}: {:#018x}", run(isa).0);
    }
}

#[test]
fn functions_have_their_golden_bits() {
    type Slice = fn(Isa, &[f32], &mut [f32]) -> agorai_exact::Result<()>;
    let x: Vec<f32> = numbers(3001, 1).iter().map(|x| 40.0 * x * x * x).collect();
    let positive: Vec<f32> = x.iter().map(|x| x.abs()).collect();
    let all: [(&str, Slice, &[f32], u64); 7] = [
        ("exp", math::exp_slice, &x, 0x1701_0f09_2a05_04f6),
        ("ln", math::ln_slice, &positive, 0x8fd2_004c_bc2c_b847),
        ("sin", math::sin_slice, &x, 0xe47a_1cf5_d70b_7c99),
        ("cos", math::cos_slice, &x, 0x3529_f167_18f8_ba7b),
        ("tanh", math::tanh_slice, &x, 0x623f_5f9d_9399_dc9a),
        ("sigmoid", math::sigmoid_slice, &x, 0x913a_ebbf_ac25_6ca3),
        ("silu", math::silu_slice, &x, 0x1950_d66a_be62_fcb4),
    ];
    for (name, function, x, golden) in all {
        check(name, golden, |isa| {
            let mut out = vec![0.0; x.len()];
            function(isa, x, &mut out).unwrap();
            Fingerprint::of(&[&out])
        });
    }
}

#[test]
fn products_and_sums_have_their_golden_bits() {
    let (m, k, n) = (19, 333, 77);
    let (a, w) = (numbers(m * k, 1), numbers(n * k, 2));
    let packed = PackedMatrix::from_out_in(n, k, &w).unwrap();
    check("matmul", 0x4d44_ea34_68b5_41e5, |isa| {
        let mut out = vec![0.0; m * n];
        matmul(isa, &a, &packed, &mut out).unwrap();
        Fingerprint::of(&[&out])
    });
    let rows = PackedMatrix::from_in_out(k, n, &w).unwrap();
    check("matmul_transposed_a", 0xa039_efe7_6a34_7bef, |isa| {
        let mut out = vec![0.0; m * n];
        matmul_transposed_a(isa, Accumulate::Overwrite, &a, m, 0..m, &rows, &mut out).unwrap();
        Fingerprint::of(&[&out])
    });
    check("sums", 0xace0_189a_6423_541d, |isa| {
        let sum = reduce::sum16(isa, &a).unwrap();
        let dot = reduce::dot16(isa, &a, &w[..a.len()]).unwrap();
        Fingerprint::of(&[&[sum, dot, reduce::mean(isa, &w).unwrap()]])
    });
}

#[test]
fn layers_have_their_golden_bits() {
    let (t, width, heads) = (23, 32, 2);
    let x = numbers(t * width * heads, 1);
    let (w, dy) = (numbers(width * heads, 2), numbers(x.len(), 3));
    check("rmsnorm", 0x9940_12d9_78f9_c4d3, |isa| {
        let [mut y, mut dx] = [vec![0.0; x.len()], vec![0.0; x.len()]];
        let [mut inv, mut dw] = [vec![0.0; t], vec![0.0; w.len()]];
        rmsnorm(isa, &x, &w, 1e-5, &mut y, &mut inv).unwrap();
        rmsnorm_backward_input(isa, &x, &w, &inv, &dy, &mut dx).unwrap();
        rmsnorm_backward_weight(isa, &x, w.len(), &inv, &dy, 0..w.len(), &mut dw).unwrap();
        Fingerprint::of(&[&y, &inv, &dx, &dw])
    });
    check("rope", 0x1af9_3970_7871_6a7b, |isa| {
        let table = RopeTable::new(width, 500_000.0, 4096).unwrap();
        let positions: Vec<u32> = (0..t as u32).map(|i| i * 178).collect();
        let mut y = x.clone();
        table.rotate(isa, &positions, &mut y).unwrap();
        Fingerprint::of(&[&y])
    });
    check("scaled rope", 0x9da6_f76e_48bf_a5ac, |isa| {
        let mut f = frequencies(width, 500_000.0).unwrap();
        let llama3 = Scaling::Llama3 {
            factor: 8.0,
            low: 1.0,
            high: 4.0,
            context: 8192,
        };
        llama3.apply(&mut f).unwrap();
        let table = RopeTable::from_frequencies(&f, 4096).unwrap();
        let positions: Vec<u32> = (0..t as u32).map(|i| i * 178).collect();
        let mut y = x.clone();
        table.rotate(isa, &positions, &mut y).unwrap();
        Fingerprint::of(&[&f, &y])
    });
    for (name, window, golden) in [
        ("attention", None, 0x3446_f8f5_49e6_fbaf),
        ("attention in a window", Some(9), 0xee3e_d34c_484a_dd72),
    ] {
        check(name, golden, |isa| {
            let shape = Attention {
                queries: t,
                offset: t,
                width,
                scale: 0.25,
                window,
            };
            let keys = PackedMatrix::from_out_in(2 * t, width, &x).unwrap();
            let (q, dout) = (&dy[..t * width], &dy[t * width..]);
            let (mut p, mut out) = (vec![0.0; t * 2 * t], vec![0.0; t * width]);
            let mut scratch = Scratch::default();
            shape
                .forward(isa, q, &keys, &x, &mut p, &mut out, &mut scratch)
                .unwrap();
            let [mut dq, mut dk, mut dv] = [vec![0.0; q.len()], vec![0.0; x.len()], vec![0.0; x.len()]];
            shape
                .backward(isa, q, &x, &x, &p, dout, &mut dq, &mut dk, &mut dv, &mut scratch)
                .unwrap();
            Fingerprint::of(&[&p, &out, &dq, &dk, &dv])
        });
    }
    check("swiglu", 0x054c_7c07_1972_12dd, |isa| {
        let (gate, up) = x.split_at(x.len() / 2);
        let [mut out, mut dgate, mut dup] = [gate.to_vec(), gate.to_vec(), gate.to_vec()];
        swiglu(isa, gate, up, &mut out).unwrap();
        swiglu_backward(isa, gate, up, &dy[..gate.len()], &mut dgate, &mut dup).unwrap();
        Fingerprint::of(&[&out, &dgate, &dup])
    });
    check("geglu", 0xb091_c7ee_ea04_bd21, |isa| {
        let (gate, up) = x.split_at(x.len() / 2);
        let [mut out, mut dgate, mut dup] = [gate.to_vec(), gate.to_vec(), gate.to_vec()];
        geglu(isa, gate, up, &mut out).unwrap();
        geglu_backward(isa, gate, up, &dy[..gate.len()], &mut dgate, &mut dup).unwrap();
        Fingerprint::of(&[&out, &dgate, &dup])
    });
    check("cross entropy", 0xbc71_e5f7_3fb4_9113, |isa| {
        let targets: Vec<u32> = (0..t as u32).collect();
        let (mut d, mut losses) = (x.clone(), vec![0.0; t]);
        loss::cross_entropy_backward(isa, &mut d, 64, &targets, 0.125, &mut losses).unwrap();
        Fingerprint::of(&[&d, &losses])
    });
    check("adamw", 0x3f7f_9ae8_df59_801d, |isa| {
        let adam = AdamW {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.1,
        };
        let [mut p, mut m, mut v] = [x.clone(), vec![0.0; x.len()], vec![0.0; x.len()]];
        for step in 1..=5 {
            adam.step(isa, step, 0.7, &mut p, &dy, &mut m, &mut v).unwrap();
        }
        Fingerprint::of(&[&p, &m, &v])
    });
    check("sampling", 0xf395_123a_ff09_9234, |isa| {
        let sampling = Sampling {
            temperature: 0.9,
            top_k: 40,
            top_p: 0.95,
        };
        let sample = |i| sampling.sample(isa, [9; 32], i, &x).unwrap() as f32;
        let tokens: Vec<f32> = (0..50).map(sample).collect();
        Fingerprint::of(&[&tokens])
    });
}
