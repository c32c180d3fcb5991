// SPDX-License-Identifier: Apache-2.0
//! Quantised products have the bits of the scalar reference on every instruction set, for arbitrary blocks.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::element::BlockFormat;
use agorai_exact::matmul::Accumulate;
use agorai_exact::quant::{quant_matmul, quant_segment, quantise_q8_0, QuantMatrix, QuantRows};
use agorai_exact::{Error, Isa};
use common::{bits, numbers};
use proptest::prelude::*;

/// Rows of blocks of random bytes with arbitrary codes and integer scales; the binary16 scales are finite: small,
/// large, denormal or zero.
fn rows(format: BlockFormat, n: usize, k: usize, bytes: &mut impl FnMut() -> u8) -> Vec<u8> {
    let length = n * format.row_bytes(k).unwrap();
    let mut rows: Vec<u8> = (0..length).map(|_| bytes()).collect();
    for block in rows.chunks_exact_mut(format.block_bytes()) {
        let halves: &[usize] = match format {
            BlockFormat::Q6K => &[209],
            BlockFormat::Q4_0 | BlockFormat::Q5_0 | BlockFormat::Q8_0 => &[1],
            _ => &[1, 3],
        };
        for &at in halves {
            // Never the exponent of infinities; 3 of 4 scales are made less than 1.
            block[at] &= if block[at] & 3 == 0 { 0xfb } else { 0xbb };
        }
    }
    rows
}

fn matrix(format: BlockFormat, n: usize, k: usize, bytes: &[u8]) -> QuantMatrix {
    let mut matrix = QuantMatrix::new(format, n, k).unwrap();
    let together = 32 * format.row_bytes(k).unwrap();
    for (i, part) in bytes.chunks(together).enumerate() {
        matrix.set_rows(32 * i, part).unwrap();
    }
    matrix
}

fn quantised(isa: Isa, x: &[f32], k: usize) -> QuantRows {
    let mut rows = QuantRows::default();
    rows.quantise(isa, x, k).unwrap();
    rows
}

fn product(isa: Isa, accumulate: Accumulate, x: &QuantRows, w: &QuantMatrix, out: &mut [f32]) {
    quant_matmul(isa, accumulate, x, w, 0..w.panels(), out).unwrap();
}

/// Pseudorandom bytes from a seed.
fn random(mut state: u32) -> impl FnMut() -> u8 {
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }
}

fn format() -> impl Strategy<Value = BlockFormat> {
    prop::sample::select(BlockFormat::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn product_has_the_same_bits_on_every_instruction_set_for_any_batch_and_any_panels(
        format in format(),
        // Few rows, and enough for whole and partial tiles of 16 rows and blocks of 96.
        (m, n, blocks) in (prop_oneof![1usize..16, 16usize..115], 1usize..100, 1usize..20),
        seed in any::<u32>(),
    ) {
        let k = (32 * blocks).next_multiple_of(format.block_len());
        let w = matrix(format, n, k, &rows(format, n, k, &mut random(seed)));
        let x = numbers(m * k, seed);
        let before = numbers(m * n, seed ^ 1);
        let mut expected = before.clone();
        product(Isa::Scalar, Accumulate::Add, &quantised(Isa::Scalar, &x, k), &w, &mut expected);
        for isa in Isa::available() {
            let q = quantised(isa, &x, k);
            let scalar = quantised(Isa::Scalar, &x, k);
            prop_assert_eq!(q.integers(), scalar.integers());
            let mut out = before.clone();
            product(isa, Accumulate::Add, &q, &w, &mut out);
            prop_assert_eq!(bits(&out), bits(&expected), "{:?}", isa);
            for i in (0..m).step_by(1 + m / 8) {
                let row = quantised(isa, &x[i * k..][..k], k);
                let mut out = before[i * n..][..n].to_vec();
                for p in 0..w.panels() {
                    let columns = 32 * p..(32 * p + 32).min(n);
                    quant_matmul(isa, Accumulate::Add, &row, &w, p..p + 1, &mut out[columns]).unwrap();
                }
                prop_assert_eq!(bits(&out), bits(&expected[i * n..][..n]));
            }
        }
    }

    /// The reference is the product in binary64 of the dequantised weights and activations; the difference is the
    /// rounding of each group and of each weight.
    #[test]
    fn product_is_near_the_one_in_binary64(format in format(), blocks in 1usize..6, seed in any::<u32>()) {
        let (k, n) = (format.block_len() * blocks, 40);
        let w = matrix(format, n, k, &rows(format, n, k, &mut random(seed)));
        let x = quantised(Isa::Scalar, &numbers(k, seed), k);
        let mut out = vec![0.0; n];
        product(Isa::detect(), Accumulate::Overwrite, &x, &w, &mut out);
        let mut weights = vec![0.0; k];
        for (o, out) in out.iter().enumerate() {
            w.row(o, &mut weights).unwrap();
            let terms = weights.iter().zip(x.integers()).enumerate();
            let terms = terms.map(|(i, (w, q))| f64::from(*w) * f64::from(*q) * f64::from(x.scales()[i / 32]));
            let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
            // Minima and scaled codes cancel, so the error is relative to the sum of magnitudes.
            let limit = 40.0 * size.max(1e-30) * f64::from(f32::EPSILON) * (k as f64 / 16.0);
            prop_assert!((f64::from(*out) - sum).abs() <= limit, "{out} for {sum}");
        }
    }

    #[test]
    fn activation_is_within_half_a_step_and_the_largest_is_127(seed in any::<u32>(), exponent in -90i32..90) {
        let scale = 2f32.powi(exponent);
        let x: Vec<f32> = numbers(64, seed).iter().map(|x| x * scale).collect();
        let q = quantised(Isa::detect(), &x, 64);
        for (b, block) in x.chunks(32).enumerate() {
            let (d, integers) = (q.scales()[b], &q.integers()[32 * b..][..32]);
            for (x, q) in block.iter().zip(integers) {
                prop_assert!((x / d - f32::from(*q)).abs() <= 0.5001);
            }
            prop_assert!(integers.iter().any(|q| q.abs() == 127));
        }
    }
}

proptest! {
    #[test]
    fn segments_recomputed_from_the_file_chain_to_the_product(
        format in format(),
        blocks in 1usize..20,
        together in 1usize..=8,
        seed in any::<u32>(),
    ) {
        let length = format.block_len();
        let (k, n) = (length * blocks, 33);
        let bytes = rows(format, n, k, &mut random(seed));
        let x = numbers(k, seed);
        let mut out = numbers(n, seed ^ 1);
        let before = out.clone();
        let w = matrix(format, n, k, &bytes);
        product(Isa::detect(), Accumulate::Add, &quantised(Isa::detect(), &x, k), &w, &mut out);
        // Segments of at most 256 terms.
        let terms = (together * length).min(256);
        let segment_bytes = format.row_bytes(terms).unwrap();
        let row_bytes = format.row_bytes(k).unwrap();
        for (o, row) in bytes.chunks_exact(row_bytes).enumerate() {
            let mut acc = before[o];
            for (weights, x) in row.chunks(segment_bytes).zip(x.chunks(terms)) {
                acc = quant_segment(format, acc, weights, x).unwrap();
            }
            prop_assert_eq!(acc.to_bits(), out[o].to_bits(), "output {}", o);
        }
    }
}

#[test]
fn segment_is_rejected_when_it_is_too_long_incomplete_or_not_finite() {
    let format = BlockFormat::Q8_0;
    let one = quantise_q8_0(&[1.0; 32]).unwrap();
    let segment = |start: f32, weights: &[u8], x: &[f32]| quant_segment(format, start, weights, x);
    assert_eq!(segment(3.0, &[], &[]), Ok(3.0));
    let longer = segment(0.0, &one.repeat(9), &[1.0; 288]);
    assert_eq!(longer, Err(Error::TooManyTerms));
    assert!(matches!(segment(0.0, &one[1..], &[1.0; 32]), Err(Error::Shape { .. })));
    assert!(matches!(segment(0.0, &one, &[1.0; 64]), Err(Error::Shape { .. })));
    assert!(matches!(segment(0.0, &one, &[1.0; 31]), Err(Error::Shape { .. })));
    let nan = segment(f32::NAN, &one, &[1.0; 32]);
    assert_eq!(nan, Err(Error::NotANumber));
    assert_eq!(segment(f32::NAN, &[], &[]), Err(Error::NotANumber));
    let infinite = segment(0.0, &one, &[f32::INFINITY; 32]);
    assert_eq!(infinite, Err(Error::NotFinite));
    let mut scale = one.clone();
    scale[1] = 0x7c;
    assert_eq!(segment(0.0, &scale, &[1.0; 32]), Err(Error::NotFinite));
    // The product overflows to infinity and is added to an infinity of the other sign.
    let mut large = one;
    large[1] = 0x7b;
    let result = segment(f32::NEG_INFINITY, &large, &[f32::MAX; 32]);
    assert_eq!(result, Err(Error::NotANumber));
}

#[test]
fn chain_over_two_parts_of_k_equals_the_whole_chain() {
    for format in BlockFormat::ALL {
        let (half, n) = (format.block_len() * 10, 33);
        let k = 2 * half;
        let bytes = rows(format, n, k, &mut random(5));
        let row = format.row_bytes(half).unwrap();
        let part = |second: usize| -> QuantMatrix {
            let parts = bytes.chunks_exact(row).skip(second).step_by(2);
            matrix(format, n, half, &parts.flatten().copied().collect::<Vec<u8>>())
        };
        let x = numbers(k, 9);
        for isa in Isa::available() {
            let mut whole = vec![0.0; n];
            let w = matrix(format, n, k, &bytes);
            product(isa, Accumulate::Overwrite, &quantised(isa, &x, k), &w, &mut whole);
            let mut out = vec![7.0; n];
            product(
                isa,
                Accumulate::Overwrite,
                &quantised(isa, &x[..half], half),
                &part(0),
                &mut out,
            );
            product(
                isa,
                Accumulate::Add,
                &quantised(isa, &x[half..], half),
                &part(1),
                &mut out,
            );
            assert_eq!(bits(&out), bits(&whole), "{format:?} {isa:?}");
        }
    }
}

#[test]
fn zero_block_and_values_below_the_smallest_are_zeros() {
    for x in [0.0, -0.0, f32::from_bits(1), 2f32.powi(-101)] {
        let q = quantised(Isa::detect(), &[x; 32], 32);
        assert_eq!((q.scales(), q.integers()), (&[0.0][..], &[0i8; 32][..]));
    }
    let q = quantised(Isa::detect(), &[2f32.powi(-100); 32], 32);
    assert_eq!(q.integers(), [127; 32]);
}

#[test]
fn ties_are_rounded_to_the_even_integer() {
    let mut x = [0.0; 32];
    x[..6].copy_from_slice(&[127.0, 0.5, 1.5, 2.5, -0.5, -1.5]);
    for isa in Isa::available() {
        assert_eq!(quantised(isa, &x, 32).integers()[..6], [127, 0, 2, 2, 0, -2]);
    }
}

#[test]
fn values_that_are_not_finite_are_rejected() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for isa in Isa::available() {
            let mut x = vec![1.0; 64];
            x[40] = bad;
            let result = QuantRows::default().quantise(isa, &x, 64);
            assert_eq!(result, Err(Error::NotFinite), "{isa:?}");
        }
        assert_eq!(quantise_q8_0(&[bad; 32]), Err(Error::NotFinite));
    }
    assert_eq!(quantise_q8_0(&[f32::MAX; 32]), Err(Error::NotFinite));
    for format in BlockFormat::ALL {
        let k = format.block_len();
        let mut bytes = vec![0; format.block_bytes()];
        let at = if format == BlockFormat::Q6K { 209 } else { 1 };
        for high in [0x7c, 0x7e, 0xfc] {
            bytes[at] = high;
            let mut w = QuantMatrix::new(format, 1, k).unwrap();
            assert_eq!(w.set_rows(0, &bytes), Err(Error::NotFinite), "{format:?}");
        }
    }
}

#[test]
fn product_that_is_not_a_number_is_rejected() {
    // The first block overflows to an infinity, the second to one of the other sign.
    let mut bytes = quantise_q8_0(&[127.0; 64]).unwrap();
    bytes[1] = 0x7b;
    bytes[34 + 1] = 0xfb;
    let w = matrix(BlockFormat::Q8_0, 1, 64, &bytes);
    for isa in Isa::available() {
        let x = quantised(isa, &[f32::MAX; 64], 64);
        let result = quant_matmul(isa, Accumulate::Overwrite, &x, &w, 0..1, &mut [0.0]);
        assert_eq!(result, Err(Error::NotANumber), "{isa:?}");
    }
}

/// One NaN, in the first, the last or the partial panel and in any row of a kernel's tile.
#[test]
fn one_output_that_is_not_a_number_is_enough_to_reject_the_product() {
    let (n, k) = (65, 64);
    for column in [0, 15, 16, 31, 32, 63, 64] {
        let mut bytes = quantise_q8_0(&vec![127.0; n * k]).unwrap();
        for (half, sign) in [0x7b, 0xfb].into_iter().enumerate() {
            bytes[(2 * column + half) * 34 + 1] = sign;
        }
        let w = matrix(BlockFormat::Q8_0, n, k, &bytes);
        for isa in Isa::available() {
            for (rows, row) in [(1, 0), (6, 5), (7, 6), (30, 0), (30, 29), (97, 96)] {
                let mut x = vec![1.0; rows * k];
                x[row * k..][..k].fill(f32::MAX);
                let x = quantised(isa, &x, k);
                let mut out = vec![0.0; rows * n];
                let panels = 0..w.panels();
                let result = quant_matmul(isa, Accumulate::Overwrite, &x, &w, panels, &mut out);
                assert_eq!(result, Err(Error::NotANumber), "{isa:?} {column} {rows} {row}");
                let nan = out.iter().position(|x| x.is_nan());
                assert_eq!(nan, Some(row * n + column), "{isa:?} {rows}");
            }
        }
    }
}

#[test]
fn wrong_lengths_are_rejected() {
    assert!(QuantMatrix::new(BlockFormat::Q8_0, 1, 33).is_err());
    assert!(QuantMatrix::new(BlockFormat::Q4K, 1, 128).is_err());
    assert!(QuantMatrix::new(BlockFormat::Q8_0, usize::MAX, 32).is_err());
    assert!(QuantMatrix::new(BlockFormat::Q8_0, 1 << 40, 1 << 16).is_err());
    let mut w = QuantMatrix::new(BlockFormat::Q8_0, 40, 32).unwrap();
    let bytes = vec![0; 34 * 40];
    for (first, length) in [(1, 34), (0, 33), (0, 34), (32, 34), (64, 0), (0, 34 * 41)] {
        let bytes = bytes.get(..length).map(<[u8]>::to_vec).unwrap_or(vec![0; length]);
        assert!(
            matches!(w.set_rows(first, &bytes), Err(Error::Shape { .. })),
            "{first} {length}"
        );
    }
    w.set_rows(0, &bytes).unwrap();
    assert!(matches!(w.row(40, &mut [0.0; 32]), Err(Error::IndexOutOfRange { .. })));
    let x = quantised(Isa::Scalar, &[1.0; 32], 32);
    for isa in Isa::available() {
        let wrong = quant_matmul(isa, Accumulate::Overwrite, &x, &w, 0..2, &mut [0.0; 39]);
        assert!(matches!(wrong, Err(Error::Shape { .. })));
        let wrong = quant_matmul(isa, Accumulate::Overwrite, &x, &w, 0..3, &mut [0.0; 40]);
        assert!(matches!(wrong, Err(Error::Shape { .. })));
    }
    let mut rows = QuantRows::default();
    assert!(matches!(
        rows.quantise(Isa::Scalar, &[0.0; 33], 33),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(rows.quantise(Isa::Scalar, &[], 0), Err(Error::Shape { .. })));
}

#[test]
fn rows_of_q8_0_are_within_half_a_step_of_the_quantised_values() {
    let x = numbers(32 * 50, 4);
    let bytes = quantise_q8_0(&x).unwrap();
    let w = matrix(BlockFormat::Q8_0, 50, 32, &bytes);
    let mut row = vec![0.0; 32];
    for (i, x) in x.chunks(32).enumerate() {
        w.row(i, &mut row).unwrap();
        let amax = x.iter().fold(0.0f32, |a, x| a.max(x.abs()));
        for (a, b) in row.iter().zip(x) {
            assert!((a - b).abs() <= amax / 127.0 * 0.51);
        }
    }
}

/// The bits of `exact-q8-v1`: a change of a hash requires a new profile.
#[test]
fn products_of_every_format_are_the_golden_ones() {
    let hash = |values: &[f32]| {
        values.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, x| {
            (h ^ u64::from(x.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    let found: Vec<u64> = BlockFormat::ALL
        .into_iter()
        .map(|format| {
            let (k, n, m) = (512, 70, 7);
            let w = matrix(format, n, k, &rows(format, n, k, &mut random(1)));
            let mut out = vec![0.0; m * n];
            let x = quantised(Isa::detect(), &numbers(m * k, 2), k);
            product(Isa::detect(), Accumulate::Overwrite, &x, &w, &mut out);
            hash(&out)
        })
        .collect();
    let golden = [
        0x61fb139221b282e8,
        0x3c6a818a7bbca44b,
        0xef96a263e404432e,
        0xec04cf0ba3a48a06,
        0xfc14f53864a88903,
        0xc81a3705c3380f41,
        0x410b89ae6113c8a0,
        0xf5ce5c1549d9512f,
    ];
    assert_eq!(found, golden);
}
