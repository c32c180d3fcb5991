// SPDX-License-Identifier: Apache-2.0
//! Sampling of tokens, its random words, the referee's segments and top-k.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::referee::{dot_segment, MAX_TERMS};
use agorai_exact::rng::{chacha20_block, Words};
use agorai_exact::sampling::{Draw, Sampling};
use agorai_exact::topk::top_k_abs;
use agorai_exact::{math, Error, Isa};
use common::{any_number, bits, chain, finite, numbers};
use proptest::prelude::*;

/// RFC 8439, section 2.3.2.
#[test]
fn chacha20_block_is_that_of_rfc_8439() {
    let key: [u8; 32] = std::array::from_fn(|i| i as u8);
    let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
    let expected = [
        0xe4e7_f110,
        0x1559_3bd1,
        0x1fdd_0f50,
        0xc471_20a3,
        0xc7f4_d1c7,
        0x0368_c033,
        0x9aaa_2204,
        0x4e6c_d4c3,
        0x4664_82d2,
        0x09aa_9f07,
        0x05d7_c214,
        0xa202_8bd9,
        0xd19c_12b5,
        0xb94e_16de,
        0xe883_d0cb,
        0x4e3c_50a2,
    ];
    assert_eq!(chacha20_block(&key, 1, &nonce), expected);
}

/// RFC 8439, appendix A.1, test vector 1: the key stream of zeros.
#[test]
fn chacha20_block_of_zeros_is_that_of_rfc_8439() {
    let stream = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
                  da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586";
    let words = chacha20_block(&[0; 32], 0, &[0; 12]);
    let ours: String = words
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(ours, stream);
}

#[test]
fn words_depend_on_index_position_and_seed_alone() {
    let mut words = Words::new([7; 32], 5);
    let forward: Vec<u32> = (0..40).map(|i| words.word(i)).collect();
    let mut backward: Vec<u32> = (0..40).rev().map(|i| words.word(i)).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    let mut nonce = [0; 12];
    nonce[4] = 5;
    assert_eq!(forward[16..32], chacha20_block(&[7; 32], 1, &nonce));
    assert_ne!(Words::new([7; 32], 6).word(0), forward[0]);
    assert_ne!(Words::new([8; 32], 5).word(0), forward[0]);
    for i in 0..10_000 {
        let u = words.uniform(i);
        assert!(u > 0.0 && u < 1.0);
    }
}

fn tokens(sampling: Sampling, logits: &[f32], draws: u64) -> Vec<u32> {
    let draw = |position| {
        let all: Vec<u32> = Isa::available()
            .map(|isa| sampling.sample(isa, [3; 32], position, logits).unwrap())
            .collect();
        assert!(all.iter().all(|t| *t == all[0]));
        all[0]
    };
    (0..draws).map(draw).collect()
}

#[test]
fn greedy_sampling_returns_the_lowest_of_equal_tokens() {
    assert_eq!(tokens(Sampling::GREEDY, &[0.0, 2.0, -1.0, 2.0], 1), [1]);
    assert_eq!(tokens(Sampling::GREEDY, &[-0.0, 0.0], 1), [0]);
}

#[test]
fn draws_follow_the_softmax() {
    let logits = [1.0f32, 0.0, 2.0, -1.0, 0.5];
    let sampling = Sampling {
        temperature: 0.7,
        top_k: 0,
        top_p: 1.0,
    };
    let draws = 20_000;
    let drawn = tokens(sampling, &logits, draws);
    let e: Vec<f64> = logits.iter().map(|&x| (f64::from(x) / 0.7).exp()).collect();
    let sum: f64 = e.iter().sum();
    for (i, e) in e.iter().enumerate() {
        let share = drawn.iter().filter(|&&t| t == i as u32).count() as f64 / draws as f64;
        let p = e / sum;
        // Five standard deviations.
        let limit = 5.0 * (p * (1.0 - p) / draws as f64).sqrt();
        assert!((share - p).abs() < limit, "{i}: {share} for {p}");
    }
}

/// Step 5, computed naively: the lowest index of the largest `z - ln(-ln(u))` of all candidates.
#[test]
fn draw_from_a_large_vocabulary_is_the_gumbel_max_of_every_candidate() {
    for n in [1, 255, 1024, 5000, 40_000] {
        let logits = numbers(n, 3);
        let sampling = Sampling {
            temperature: 0.8,
            top_k: 0,
            top_p: 1.0,
        };
        for position in 0..5 {
            let mut words = Words::new([3; 32], position);
            let mut best = (f32::NEG_INFINITY, 0);
            for (i, logit) in (0u32..).zip(&logits) {
                let g = logit / 0.8 + 0.0 - math::ln(-math::ln(words.uniform(i)));
                if g > best.0 {
                    best = (g, i);
                }
            }
            for isa in Isa::available() {
                let token = sampling.sample(isa, [3; 32], position, &logits);
                assert_eq!(token, Ok(best.1), "{n} {position} {isa:?}");
            }
        }
    }
}

#[test]
fn top_k_retains_the_lower_index_of_equal_tokens() {
    let sampling = Sampling {
        temperature: 1.0,
        top_k: 2,
        top_p: 1.0,
    };
    let mut drawn = tokens(sampling, &[0.0, 1.0, 1.0, 1.0], 300);
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [1, 2]);
}

#[test]
fn top_p_retains_the_first_that_reach_it() {
    // Probabilities 1/2, 1/4, 1/8, 1/8.
    let half = std::f32::consts::LN_2;
    let logits = [-3.0 * half, -half, -3.0 * half, -2.0 * half];
    for (top_p, expected) in [(0.4, &[1][..]), (0.7, &[1, 3]), (0.8, &[0, 1, 3]), (1.0, &[0, 1, 2, 3])] {
        let sampling = Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p,
        };
        let mut drawn = tokens(sampling, &logits, 400);
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, expected, "{top_p}");
    }
}

#[test]
fn sampling_rejects_bad_parameters_and_logits() {
    let sample = |s: Sampling, x: &[f32]| s.sample(Isa::detect(), [0; 32], 0, x);
    let good = Sampling {
        temperature: 1.0,
        top_k: 0,
        top_p: 0.9,
    };
    for bad in [
        Sampling {
            temperature: -1.0,
            ..good
        },
        Sampling {
            temperature: f32::NAN,
            ..good
        },
        Sampling {
            temperature: f32::INFINITY,
            ..good
        },
        Sampling { top_p: 0.0, ..good },
        Sampling { top_p: 1.1, ..good },
        Sampling {
            top_p: f32::NAN,
            ..good
        },
    ] {
        assert_eq!(sample(bad, &[1.0]), Err(Error::Parameter));
    }
    assert!(matches!(sample(good, &[]), Err(Error::Shape { .. })));
    assert_eq!(sample(good, &[1.0, f32::NAN]), Err(Error::NotANumber));
    assert_eq!(sample(Sampling::GREEDY, &[1.0, f32::NAN]), Err(Error::NotANumber));
    assert_eq!(sample(good, &[f32::NEG_INFINITY, 3.0]), Ok(1));
}

proptest! {
    #[test]
    fn top_k_is_what_sorting_finds(x in prop::collection::vec(any_number(), 0..200), k in 0usize..210) {
        // Few distinct values, so that there are ties.
        let x: Vec<f32> = x.iter().map(|v| if v.abs() < 1e9 { v.round() } else { *v }).collect();
        let mut order: Vec<u32> = (0..x.len() as u32).collect();
        order.sort_by(|&a, &b| x[b as usize].abs().total_cmp(&x[a as usize].abs()));
        order.truncate(k);
        order.sort_unstable();
        let mut ours = vec![77];
        top_k_abs(&x, k, &mut ours).unwrap();
        prop_assert_eq!(ours, order);
    }

    #[test]
    fn consecutive_segments_equal_the_chain(x in prop::collection::vec((finite(), finite()), 0..600)) {
        let (a, b): (Vec<f32>, Vec<f32>) = x.into_iter().unzip();
        let mut acc = 0.0;
        for (a, b) in a.chunks(MAX_TERMS).zip(b.chunks(MAX_TERMS)) {
            acc = dot_segment(acc, a, b).unwrap();
        }
        let whole = chain(0.0, a.into_iter().zip(b));
        prop_assert_eq!(bits(&[acc]), bits(&[whole]));
    }

    #[test]
    fn tokens_are_the_same_on_every_isa(
        x in prop::collection::vec(finite(), 1..300), top_k in 0u32..50, top_p in 0.05f32..1.0, position: u64,
    ) {
        let sampling = Sampling { temperature: 0.8, top_k, top_p };
        let all: Vec<_> = Isa::ALL.iter().map(|&isa| sampling.sample(isa, [1; 32], position, &x)).collect();
        prop_assert!(all[0].is_ok());
        prop_assert!(all.iter().all(|t| *t == all[0]));
    }

    #[test]
    fn draw_from_the_chunks_of_a_row_in_any_order_equals_the_draw_from_the_row(
        x in prop::collection::vec(finite(), 1..1500), temperature in 0u8..3, top_k in 0u32..40, top_p in 0.3f32..1.3,
        lengths in prop::collection::vec(1usize..4, 6), position: u64, backward: bool,
    ) {
        // Few distinct values, so that there are ties.
        let x: Vec<f32> = x.iter().map(|v| v.clamp(-9.0, 9.0).round()).collect();
        let sampling = Sampling { temperature: f32::from(temperature) / 2.0, top_k, top_p: top_p.min(1.0) };
        let (mut parts, mut first) = (Vec::new(), 0);
        for length in lengths {
            let end = x.len().min(first + 256 * length);
            parts.push((first, &x[first..end]));
            first = end;
            if first == x.len() || !first.is_multiple_of(256) {
                break;
            }
        }
        let seen: usize = parts.iter().map(|(_, part)| part.len()).sum();
        if backward {
            parts.reverse();
        }
        let draw = Draw::new(sampling, [1; 32], position).unwrap();
        for isa in Isa::available() {
            let mut candidates = Vec::new();
            for (first, part) in &parts {
                draw.add_candidates(isa, *first as u32, part, &mut candidates).unwrap();
            }
            let whole = sampling.sample(isa, [1; 32], position, &x[..seen]);
            prop_assert_eq!(draw.sample(draw.truncate(isa, candidates).unwrap()), whole);
        }
    }
}

#[test]
fn segments_are_rejected_when_too_long_or_not_numbers() {
    let ones = vec![1.0; MAX_TERMS + 1];
    assert_eq!(dot_segment(0.0, &ones[1..], &ones[1..]), Ok(256.0));
    assert_eq!(dot_segment(0.0, &ones, &ones), Err(Error::TooManyTerms));
    assert!(matches!(
        dot_segment(0.0, &ones[..2], &ones[..1]),
        Err(Error::Shape { .. })
    ));
    assert_eq!(dot_segment(f32::NAN, &[], &[]), Err(Error::NotANumber));
    assert_eq!(dot_segment(0.0, &[f32::NAN], &[1.0]), Err(Error::NotANumber));
    assert_eq!(dot_segment(0.0, &[1.0], &[f32::NAN]), Err(Error::NotANumber));
    assert_eq!(dot_segment(0.0, &[f32::INFINITY], &[0.0]), Err(Error::NotANumber));
    assert_eq!(
        dot_segment(f32::INFINITY, &[1.0], &[f32::NEG_INFINITY]),
        Err(Error::NotANumber)
    );
    let mut indices = vec![];
    assert_eq!(top_k_abs(&[1.0, f32::NAN], 1, &mut indices), Err(Error::NotANumber));
}

/// The referee recomputes one output of a product.
#[test]
fn segments_recompute_an_output_of_a_product() {
    let (k, n) = (700, 40);
    let (a, w) = (numbers(k, 1), numbers(n * k, 2));
    let packed = agorai_exact::PackedMatrix::from_out_in(n, k, &w).unwrap();
    let mut out = vec![0.0; n];
    agorai_exact::matmul(Isa::detect(), &a, &packed, &mut out).unwrap();
    let row = &w[33 * k..34 * k];
    let acc = a
        .chunks(MAX_TERMS)
        .zip(row.chunks(MAX_TERMS))
        .try_fold(0.0, |acc, (a, b)| dot_segment(acc, a, b));
    assert_eq!(acc.map(f32::to_bits), Ok(out[33].to_bits()));
}
