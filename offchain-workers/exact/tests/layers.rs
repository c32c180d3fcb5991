// SPDX-License-Identifier: Apache-2.0
//! Norm, rope, softmax, gated activation, loss, embedding and optimiser follow their canonical order on every
//! instruction set.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::adamw::{clip_scale, global_norm, power, AdamW};
use agorai_exact::fma::fma;
use agorai_exact::gated::{geglu, geglu_backward, swiglu, swiglu_backward};
use agorai_exact::loss::{self, IGNORE_INDEX};
use agorai_exact::norm::{rmsnorm, rmsnorm_backward_input, rmsnorm_backward_weight};
use agorai_exact::rope::{frequencies, RopeTable, Scaling};
use agorai_exact::softmax::{softmax, softmax_backward};
use agorai_exact::{embedding, math, Error, Isa};
use common::{bits, dot16, numbers, same_on_every_isa, sum16, vector};
use proptest::prelude::*;

/// A number of rows, a width, and `count` matrices of that shape.
fn matrices(count: usize) -> impl Strategy<Value = (usize, usize, Vec<Vec<f32>>)> {
    (1usize..5, 1usize..70).prop_flat_map(move |(rows, width)| {
        let all = prop::collection::vec(vector(rows * width), count);
        (Just(rows), Just(width), all)
    })
}

proptest! {
    #[test]
    fn rmsnorm_follows_its_canonical_order((rows, width, x) in matrices(3)) {
        let eps = 1e-5f32;
        let weight = &x[2][..width];
        let (mut y, mut inv, mut dx) = (vec![], vec![], vec![]);
        let mut dw = numbers(width, 9);
        for (x, dy) in x[0].chunks(width).zip(x[1].chunks(width)) {
            let i = 1.0 / (dot16(x, x) / width as f32 + eps).sqrt();
            inv.push(i);
            y.extend(x.iter().zip(weight).map(|(x, w)| (x * i) * w));
            let g: Vec<f32> = dy.iter().zip(weight).map(|(d, w)| d * w).collect();
            let c = ((dot16(&g, x) * i) * i) * i / width as f32;
            dx.extend(x.iter().zip(&g).map(|(&x, g)| fma(-c, x, g * i)));
            for ((dw, &d), x) in dw.iter_mut().zip(dy).zip(x) {
                *dw = fma(d, x * i, *dw);
            }
        }
        for isa in Isa::available() {
            let mut ours = (vec![0.0; y.len()], vec![0.0; rows]);
            let result = rmsnorm(isa, &x[0], weight, eps, &mut ours.0, &mut ours.1);
            if result.is_err() {
                // Squares of huge numbers overflow, and infinity times zero is NaN.
                prop_assert!(y.iter().any(|y| y.is_nan()));
                continue;
            }
            prop_assert_eq!(bits(&ours.0), bits(&y));
            prop_assert_eq!(bits(&ours.1), bits(&inv));
            let mut ours = vec![0.0; y.len()];
            match rmsnorm_backward_input(isa, &x[0], weight, &inv, &x[1], &mut ours) {
                Ok(()) => prop_assert_eq!(bits(&ours), bits(&dx)),
                Err(_) => prop_assert!(dx.iter().any(|d| d.is_nan())),
            }
            let mut ours = numbers(width, 9);
            let cut = width / 2;
            for columns in [0..cut, cut..width] {
                let part = &mut ours[columns.clone()];
                rmsnorm_backward_weight(isa, &x[0], width, &inv, &x[1], columns, part).unwrap();
            }
            prop_assert_eq!(bits(&ours), bits(&dw));
        }
    }

    #[test]
    fn softmax_follows_its_canonical_order((rows, width, x) in matrices(2)) {
        let p: Vec<f32> = x[0].chunks(width).flat_map(common::softmax).collect();
        let mut dx = vec![];
        for (p, d) in p.chunks(width).zip(x[1].chunks(width)) {
            let dot = dot16(p, d);
            dx.extend(p.iter().zip(d).map(|(p, d)| p * (d - dot)));
        }
        for isa in Isa::available() {
            let mut ours = x[0].clone();
            softmax(isa, &mut ours, width).unwrap();
            prop_assert_eq!(bits(&ours), bits(&p));
            let mut ours = x[1].clone();
            softmax_backward(isa, &p, &mut ours, width).unwrap();
            prop_assert_eq!(bits(&ours), bits(&dx));
            // Each row gives the same bits alone.
            let mut row = x[0][..width].to_vec();
            softmax(isa, &mut row, width).unwrap();
            prop_assert_eq!(bits(&row), bits(&p[..width]));
        }
        prop_assert_eq!(p.len(), rows * width);
    }

    #[test]
    fn cross_entropy_follows_its_canonical_order((rows, width, x) in matrices(1), seed: u32) {
        let scale = 1.0 / rows as f32;
        let target = |i: usize| match seed.rotate_left(7 * i as u32) {
            t if t % 5 == 0 => IGNORE_INDEX,
            t => t % width as u32,
        };
        let targets: Vec<u32> = (0..rows).map(target).collect();
        let (mut losses, mut gradient) = (vec![], vec![]);
        for (x, &t) in x[0].chunks(width).zip(&targets) {
            if t == IGNORE_INDEX {
                losses.push(0.0);
                gradient.extend(vec![0.0; width]);
                continue;
            }
            let m = x.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b)) + 0.0;
            let e: Vec<f32> = x.iter().map(|v| math::exp(v - m)).collect();
            losses.push(math::ln(sum16(&e)) - (x[t as usize] - m));
            let p = common::softmax(x);
            let hit = |i: usize| if i == t as usize { 1.0 } else { 0.0 };
            gradient.extend(p.iter().enumerate().map(|(i, p)| (p - hit(i)) * scale));
        }
        for isa in Isa::available() {
            let mut ours = vec![9.0; rows];
            loss::cross_entropy(isa, &x[0], width, &targets, &mut ours).unwrap();
            prop_assert_eq!(bits(&ours), bits(&losses));
            let mut both = vec![9.0; rows];
            let mut d = x[0].clone();
            loss::cross_entropy_backward(isa, &mut d, width, &targets, scale, &mut both).unwrap();
            prop_assert_eq!(bits(&both), bits(&losses));
            prop_assert_eq!(bits(&d), bits(&gradient));
            let counted = targets.iter().filter(|&&t| t != IGNORE_INDEX).count();
            let mean = loss::mean_loss(isa, &losses, &targets);
            if counted == 0 {
                let is_rejected = matches!(mean, Err(Error::Shape { .. }));
                prop_assert!(is_rejected);
            } else {
                prop_assert_eq!(mean.unwrap().to_bits(), (sum16(&losses) / counted as f32).to_bits());
            }
        }
    }

    #[test]
    fn swiglu_follows_its_canonical_order((_, _, x) in matrices(3)) {
        let [gate, up, d] = &x[..] else { unreachable!() };
        let out: Vec<f32> = gate.iter().zip(up).map(|(&g, u)| math::silu(g) * u).collect();
        let triples = || gate.iter().zip(up).zip(d);
        let dgate: Vec<f32> = triples().map(|((&g, u), d)| (d * u) * math::silu_derivative(g)).collect();
        let dup: Vec<f32> = triples().map(|((&g, _), d)| d * math::silu(g)).collect();
        for isa in Isa::available() {
            let mut ours = vec![0.0; out.len()];
            swiglu(isa, gate, up, &mut ours).unwrap();
            prop_assert_eq!(bits(&ours), bits(&out));
            let (mut a, mut b) = (ours.clone(), ours);
            // Huge gates times an overflowing product may be NaN.
            match swiglu_backward(isa, gate, up, d, &mut a, &mut b) {
                Ok(()) => {
                    prop_assert_eq!(bits(&a), bits(&dgate));
                    prop_assert_eq!(bits(&b), bits(&dup));
                }
                Err(_) => prop_assert!(dgate.iter().chain(&dup).any(|x| x.is_nan())),
            }
        }
    }

    #[test]
    fn geglu_follows_its_canonical_order((_, _, x) in matrices(3)) {
        let [gate, up, d] = &x[..] else { unreachable!() };
        let out: Vec<f32> = gate.iter().zip(up).map(|(&g, u)| math::gelu(g) * u).collect();
        let triples = || gate.iter().zip(up).zip(d);
        let dgate: Vec<f32> = triples().map(|((&g, u), d)| (d * u) * math::gelu_derivative(g)).collect();
        let dup: Vec<f32> = triples().map(|((&g, _), d)| d * math::gelu(g)).collect();
        for isa in Isa::available() {
            let mut ours = vec![0.0; out.len()];
            geglu(isa, gate, up, &mut ours).unwrap();
            prop_assert_eq!(bits(&ours), bits(&out));
            let (mut a, mut b) = (ours.clone(), ours);
            // Huge gates times an overflowing product may be NaN.
            match geglu_backward(isa, gate, up, d, &mut a, &mut b) {
                Ok(()) => {
                    prop_assert_eq!(bits(&a), bits(&dgate));
                    prop_assert_eq!(bits(&b), bits(&dup));
                }
                Err(_) => prop_assert!(dgate.iter().chain(&dup).any(|x| x.is_nan())),
            }
        }
    }

    #[test]
    fn adamw_follows_its_canonical_order((_, _, x) in matrices(4), step in 1u32..100_000, scale in 0.0f32..2.0) {
        let adam = AdamW {
            learning_rate: 3e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1,
        };
        let second: Vec<f32> = x[3].iter().map(|v| v.abs()).collect();
        let (c1, c2) = (1.0 - power(0.9, step), 1.0 - power(0.95, step));
        let mut expected = [x[0].clone(), x[2].clone(), second.clone()];
        for (i, &gradient) in x[1].iter().enumerate() {
            let g = gradient * scale;
            let m = fma(0.9, x[2][i], (1.0 - 0.9f32) * g);
            let v = fma(0.95, second[i], ((1.0 - 0.95f32) * g) * g);
            let d = v.sqrt() / c2.sqrt() + 1e-8;
            expected[0][i] = fma(-(3e-3 / c1), m / d, x[0][i] * fma(-3e-3, 0.1, 1.0));
            expected[1][i] = m;
            expected[2][i] = v;
        }
        for isa in Isa::available() {
            let [mut p, mut m, mut v] = [x[0].clone(), x[2].clone(), second.clone()];
            match adam.step(isa, step, scale, &mut p, &x[1], &mut m, &mut v) {
                Ok(()) => prop_assert_eq!([&p, &m, &v].map(|x| bits(x)), expected.clone().map(|x| bits(&x))),
                Err(_) => prop_assert!(expected.iter().flatten().any(|x| x.is_nan())),
            }
        }
    }

    #[test]
    fn rope_follows_its_canonical_order(
        (half, heads, x) in (1usize..40, 1usize..4)
            .prop_flat_map(|(half, heads)| (Just(half), Just(heads), vector(3 * 2 * half * heads))),
        first in 0u32..30,
    ) {
        let head = 2 * half;
        let table = RopeTable::new(head, 10_000.0, 40).unwrap();
        let positions = [first, first + 1, 39];
        let f = frequencies(head, 10_000.0).unwrap();
        let mut expected = [x.clone(), x.clone()];
        for (expected, sign) in expected.iter_mut().zip([1.0f32, -1.0]) {
            for (row, position) in expected.chunks_mut(head * heads).zip(positions) {
                for x in row.chunks_mut(head) {
                    for i in 0..half {
                        let angle = position as f32 * f[i];
                        let (c, s) = (math::cos(angle), sign * math::sin(angle));
                        let (a, b) = (x[i], x[i + half]);
                        x[i] = fma(a, c, -(b * s));
                        x[i + half] = fma(b, c, a * s);
                    }
                }
            }
        }
        for isa in Isa::available() {
            let mut ours = x.clone();
            table.rotate(isa, &positions, &mut ours).unwrap();
            prop_assert_eq!(bits(&ours), bits(&expected[0]));
            let mut ours = x.clone();
            table.rotate_inverse(isa, &positions, &mut ours).unwrap();
            prop_assert_eq!(bits(&ours), bits(&expected[1]));
        }
    }

    #[test]
    fn scatter_adds_in_row_order(tokens in prop::collection::vec(0u32..5, 0..12), width in 1usize..40) {
        let gradient = numbers(tokens.len() * width, 3);
        let start = numbers(5 * width, 4);
        let mut expected = start.clone();
        for (&t, row) in tokens.iter().zip(gradient.chunks(width)) {
            for (to, from) in expected[t as usize * width..].iter_mut().zip(row) {
                *to += from;
            }
        }
        let result = same_on_every_isa(|isa| {
            let mut table = start.clone();
            embedding::scatter_add(isa, &mut table, width, &tokens, &gradient).map(|()| ((), table))
        });
        prop_assert_eq!(bits(&result.unwrap().1), bits(&expected));
        let mut rows = vec![0.0; tokens.len() * width];
        embedding::gather(&start, width, &tokens, &mut rows).unwrap();
        for (&t, row) in tokens.iter().zip(rows.chunks(width)) {
            prop_assert_eq!(row, &start[t as usize * width..][..width]);
        }
    }
}

#[test]
fn frequencies_are_the_powers_rounded() {
    for (head, theta) in [(2, 2.0f32), (64, 10_000.0), (128, 500_000.0), (256, 1e6), (96, 1e9)] {
        for (i, f) in frequencies(head, theta).unwrap().into_iter().enumerate() {
            let exact = f64::from(theta).powf(-2.0 * i as f64 / head as f64);
            // Rounding gives half an ulp, and the error of the double-binary32 arithmetic slightly more at near ties.
            let error = (f64::from(f) - exact).abs() / exact;
            assert!(
                error <= 0.5002 * f64::from(f32::EPSILON),
                "{head} {theta} {i}: {error:e}"
            );
        }
    }
}

#[test]
fn llama_3_scaling_retains_high_frequencies_divides_low_ones_and_interpolates_between() {
    // The parameters of Llama 3.2.
    let scaling = Scaling::Llama3 {
        factor: 32.0,
        low: 1.0,
        high: 4.0,
        context: 8192,
    };
    let plain = frequencies(64, 500_000.0).unwrap();
    let mut scaled = plain.clone();
    scaling.apply(&mut scaled).unwrap();
    let mut kinds = [0; 3];
    for (f, scaled) in plain.into_iter().zip(scaled) {
        let f = f64::from(f);
        let turns = 8192.0 * f / std::f64::consts::TAU;
        let smooth = ((turns - 1.0) / 3.0).clamp(0.0, 1.0);
        let exact = (1.0 - smooth) * f / 32.0 + smooth * f;
        assert!((f64::from(scaled) - exact).abs() <= 1e-6 * exact);
        kinds[usize::from(smooth > 0.0) + usize::from(smooth == 1.0)] += 1;
    }
    assert!(kinds.iter().all(|&count| count > 1), "{kinds:?}");
}

#[test]
fn linear_scaling_and_divisors_divide() {
    let plain = frequencies(8, 10_000.0).unwrap();
    let (mut linear, mut divided) = (plain.clone(), plain.clone());
    Scaling::Linear { factor: 8.0 }.apply(&mut linear).unwrap();
    Scaling::Divisors(&[1.0, 2.0, 3.0, 4.0]).apply(&mut divided).unwrap();
    for (i, f) in plain.into_iter().enumerate() {
        assert_eq!(linear[i], f / 8.0);
        assert_eq!(divided[i], f / (i + 1) as f32);
    }
}

#[test]
fn scalings_outside_their_domain_are_rejected() {
    let llama3 = |factor, low, high, context| {
        let scaling = Scaling::Llama3 {
            factor,
            low,
            high,
            context,
        };
        scaling.apply(&mut [1.0, 0.5])
    };
    assert_eq!(llama3(8.0, 1.0, 4.0, 8192), Ok(()));
    for rejected in [
        llama3(0.5, 1.0, 4.0, 8192),
        llama3(f32::NAN, 1.0, 4.0, 8192),
        llama3(8.0, 4.0, 4.0, 8192),
        llama3(8.0, 0.0, 4.0, 8192),
        llama3(8.0, 1.0, f32::INFINITY, 8192),
        llama3(8.0, 1.0, 4.0, 0),
        llama3(8.0, 1.0, 4.0, u32::MAX),
        Scaling::Linear { factor: 0.0 }.apply(&mut [1.0]),
        Scaling::Divisors(&[0.0]).apply(&mut [1.0]),
        Scaling::Divisors(&[f32::NAN]).apply(&mut [1.0]),
        // A divisor below one gives a frequency above 1.
        Scaling::Divisors(&[0.5])
            .apply(&mut [1.0])
            .and_then(|()| RopeTable::from_frequencies(&[2.0], 1).map(|_| ())),
    ] {
        assert_eq!(rejected, Err(Error::Parameter));
    }
    let lengths = Scaling::Divisors(&[1.0]).apply(&mut [1.0, 0.5]);
    assert!(matches!(lengths, Err(Error::Shape { .. })));
}

#[test]
fn angles_errors_are_at_most_a_64th_below_position_131072() {
    let frequencies = frequencies(64, 500_000.0).unwrap();
    let table = RopeTable::from_frequencies(&frequencies, 131_072).unwrap();
    for position in [1u32, 4095, 65_537, 131_071] {
        let mut x = vec![1.0; 32];
        x.resize(64, 0.0);
        table.rotate(Isa::detect(), &[position], &mut x).unwrap();
        for i in 0..32 {
            let frequency = 500_000f64.powf(-(i as f64) / 32.0);
            let (sin, cos) = (f64::from(position) * frequency).sin_cos();
            let error = f64::hypot(f64::from(x[i]) - cos, f64::from(x[i + 32]) - sin);
            assert!(error <= 1.0 / 64.0, "{position} {i}: {error:e}");
        }
    }
}

#[test]
fn inverse_rotation_restores_the_vector() {
    let table = RopeTable::new(32, 10_000.0, 2000).unwrap();
    assert_eq!((table.head(), table.positions()), (32, 2000));
    let x = numbers(64, 1);
    let mut y = x.clone();
    table.rotate(Isa::detect(), &[1999, 7], &mut y).unwrap();
    assert!(x.iter().zip(&y).any(|(a, b)| (a - b).abs() > 0.1));
    table.rotate_inverse(Isa::detect(), &[1999, 7], &mut y).unwrap();
    assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn clipping_scales_to_the_limit_and_never_up() {
    let isa = Isa::detect();
    let norm = global_norm(isa, &[&[3.0, 0.0], &[4.0]]).unwrap();
    assert_eq!(norm, 5.0);
    assert_eq!(clip_scale(norm, 1.0), Ok(0.2));
    assert_eq!(clip_scale(0.5, 1.0), Ok(1.0));
    assert_eq!(clip_scale(f32::NAN, 1.0), Err(Error::NotANumber));
    assert_eq!(clip_scale(1.0, 0.0), Err(Error::Parameter));
    for isa in Isa::available() {
        let tensors = [numbers(1000, 1), numbers(77, 2), numbers(16, 3)];
        let slices = [&tensors[0][..], &tensors[1], &tensors[2]];
        let squares: Vec<f32> = tensors.iter().map(|t| dot16(t, t)).collect();
        assert_eq!(global_norm(isa, &slices).unwrap(), sum16(&squares).sqrt());
    }
}

#[test]
fn wrong_arguments_are_rejected() {
    for isa in Isa::ALL {
        let mut two = [0.0; 2];
        assert!(matches!(softmax(isa, &mut two, 0), Err(Error::Shape { .. })));
        assert_eq!(softmax(isa, &mut [f32::NEG_INFINITY; 3], 3), Err(Error::NotANumber));
        assert_eq!(softmax(isa, &mut [0.0, f32::INFINITY], 2), Err(Error::NotANumber));
        assert!(matches!(
            rmsnorm(isa, &[1.0; 2], &[1.0; 2], 0.1, &mut two, &mut []),
            Err(Error::Shape { .. })
        ));
        let eps = rmsnorm(isa, &[1.0; 2], &[1.0; 2], -0.1, &mut two, &mut [0.0]);
        assert_eq!(eps, Err(Error::Parameter));
        let mut loss = [0.0];
        let target = loss::cross_entropy(isa, &[1.0; 2], 2, &[2], &mut loss);
        assert!(matches!(target, Err(Error::IndexOutOfRange { .. })));
        assert!(matches!(
            swiglu(isa, &[1.0], &[1.0; 2], &mut two),
            Err(Error::Shape { .. })
        ));
        let token = embedding::scatter_add(isa, &mut two, 1, &[2], &[1.0]);
        assert!(matches!(token, Err(Error::IndexOutOfRange { .. })));
        let table = RopeTable::new(2, 10.0, 4).unwrap();
        assert!(matches!(
            table.rotate(isa, &[4], &mut two),
            Err(Error::IndexOutOfRange { .. })
        ));
        assert!(matches!(
            table.rotate(isa, &[0], &mut [0.0; 3]),
            Err(Error::Shape { .. })
        ));
        assert!(matches!(table.rotate(isa, &[0, 1], &mut two), Err(Error::Shape { .. })));
        let adam = AdamW {
            learning_rate: 0.1,
            beta1: 1.0,
            beta2: 0.9,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        let step = adam.step(isa, 1, 1.0, &mut [1.0], &[1.0], &mut [0.0], &mut [0.0]);
        assert_eq!(step, Err(Error::Parameter));
    }
    assert!(matches!(
        embedding::gather(&[0.0; 4], 2, &[2], &mut [0.0; 2]),
        Err(Error::IndexOutOfRange { .. })
    ));
    assert!(matches!(frequencies(3, 10.0), Err(Error::Shape { .. })));
    assert_eq!(frequencies(4, 1.0), Err(Error::Parameter));
    assert!(RopeTable::from_frequencies(&[2.0], 3).is_err());
}
