// SPDX-License-Identifier: Apache-2.0
//! Products are the reference chain on every instruction set, for any split of the outputs.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::matmul::{
    matmul, matmul_accumulate, matmul_panels, matmul_transposed_a, Accumulate, PackedMatrix, PANEL,
};
use agorai_exact::{Error, Expected, Isa};
use common::{any_number, bits, chain, numbers, same_on_every_isa, vector};
use proptest::prelude::*;

/// The product with w [n, k], computed naively.
fn reference(a: &[f32], w: &[f32], m: usize, k: usize, n: usize, start: Option<&[f32]>) -> Vec<f32> {
    let mut out = Vec::new();
    for i in 0..m {
        for j in 0..n {
            let terms = (0..k).map(|t| (a[i * k + t], w[j * k + t]));
            out.push(chain(start.map_or(0.0, |s| s[i * n + j]), terms));
        }
    }
    out
}

fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let at = |i: usize| x[(i % rows) * columns + i / rows];
    (0..rows * columns).map(at).collect()
}

fn check(a: &[f32], w: &[f32], m: usize, k: usize, n: usize) {
    let expected = reference(a, w, m, k, n, None);
    let packed = PackedMatrix::from_out_in(n, k, w).unwrap();
    assert_eq!(packed, PackedMatrix::from_in_out(k, n, &transposed(w, n, k)).unwrap());
    let (_, out) = same_on_every_isa(|isa| {
        let mut out = vec![9.0; m * n];
        matmul(isa, a, &packed, &mut out).map(|()| ((), out))
    })
    .unwrap();
    assert_eq!(bits(&out), bits(&expected));
    for isa in Isa::available() {
        // Each row alone.
        for i in 0..m {
            let mut row = vec![9.0; n];
            matmul(isa, &a[i * k..(i + 1) * k], &packed, &mut row).unwrap();
            assert_eq!(bits(&row), bits(&expected[i * n..(i + 1) * n]), "{isa:?}");
        }
        // Each panel alone.
        for p in 0..packed.panels() {
            let columns = packed.columns(p..p + 1).unwrap();
            let mut part = vec![9.0; m * columns];
            matmul_panels(isa, Accumulate::Overwrite, a, &packed, p..p + 1, &mut part).unwrap();
            for i in 0..m {
                let from = &expected[i * n + p * 32..][..columns];
                assert_eq!(bits(&part[i * columns..][..columns]), bits(from));
            }
        }
        // The transposed left operand, as a whole and column by column.
        let at = transposed(a, m, k);
        let mut out = vec![9.0; m * n];
        matmul_transposed_a(isa, Accumulate::Overwrite, &at, m, 0..m, &packed, &mut out).unwrap();
        assert_eq!(bits(&out), bits(&expected), "{isa:?}");
        for i in 0..m {
            let mut row = vec![9.0; n];
            matmul_transposed_a(isa, Accumulate::Overwrite, &at, m, i..i + 1, &packed, &mut row).unwrap();
            assert_eq!(bits(&row), bits(&expected[i * n..(i + 1) * n]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn product_is_the_reference_chain_for_any_shape(
        (m, k, n, a, w) in (1usize..30, 1usize..40, 1usize..140)
            .prop_flat_map(|(m, k, n)| (Just(m), Just(k), Just(n), vector(m * k), vector(n * k)))
    ) {
        check(&a, &w, m, k, n);
    }

    #[test]
    fn product_is_the_same_or_rejected_for_huge_numbers(
        (m, k, n, a, w) in (1usize..16, 1usize..6, 1usize..70).prop_flat_map(|(m, k, n)| {
            let v = |n| prop::collection::vec(any_number(), n);
            (Just(m), Just(k), Just(n), v(m * k), v(n * k))
        })
    ) {
        let packed = PackedMatrix::from_out_in(n, k, &w).unwrap();
        let expected = reference(&a, &w, m, k, n, None);
        let result = same_on_every_isa(|isa| {
            let mut out = vec![9.0; m * n];
            matmul(isa, &a, &packed, &mut out).map(|()| ((), out))
        });
        match result {
            Ok((_, out)) => assert_eq!(bits(&out), bits(&expected)),
            Err(e) => {
                assert_eq!(e, Error::NotANumber);
                assert!(expected.iter().any(|x| x.is_nan()));
            }
        }
    }
}

#[test]
fn product_is_the_reference_chain_when_k_and_m_span_blocks() {
    for (m, k, n) in [
        (1, 700, 300),
        (13, 513, 48),
        (500, 257, 17),
        (25, 256, 64),
        (2, 1000, 33),
    ] {
        check(&numbers(m * k, 1), &numbers(n * k, 2), m, k, n);
    }
}

#[test]
fn chains_accumulated_in_parts_equal_the_whole_chain() {
    let (m, k, n) = (17, 300, 45);
    let (a, w) = (numbers(m * k, 3), numbers(n * k, 4));
    let expected = reference(&a, &w, m, k, n, None);
    let (at, wt) = (transposed(&a, m, k), transposed(&w, n, k));
    for isa in Isa::available() {
        for cut in [1, 128, 299] {
            let mut by_rows = vec![0.0; m * n];
            let mut by_columns = vec![0.0; m * n];
            for part in [0..cut, cut..k] {
                let packed = PackedMatrix::from_in_out(part.len(), n, &wt[part.start * n..part.end * n]).unwrap();
                let some: Vec<f32> = (0..m).flat_map(|i| a[i * k..][part.clone()].to_vec()).collect();
                matmul_accumulate(isa, Accumulate::Add, &some, &packed, &mut by_rows).unwrap();
                let some = &at[part.start * m..part.end * m];
                matmul_transposed_a(isa, Accumulate::Add, some, m, 0..m, &packed, &mut by_columns).unwrap();
            }
            assert_eq!(bits(&by_rows), bits(&expected));
            assert_eq!(bits(&by_columns), bits(&expected));
        }
    }
}

#[test]
fn packing_again_overwrites_everything() {
    let mut packed = PackedMatrix::from_out_in(70, 9, &numbers(630, 1)).unwrap();
    for (n, k) in [(33, 5), (64, 20), (1, 1), (95, 7)] {
        let w = numbers(n * k, 8);
        packed.pack_out_in(n, k, &w).unwrap();
        assert_eq!(packed, PackedMatrix::from_out_in(n, k, &w).unwrap());
        packed.pack_in_out(k, n, &transposed(&w, n, k)).unwrap();
        assert_eq!(packed, PackedMatrix::from_out_in(n, k, &w).unwrap());
    }
}

/// Rows whose cache lines map to the same sets are packed, and long chains store their accumulators in between.
#[test]
fn rows_a_multiple_of_four_kibibytes_apart_give_the_same_bits() {
    for (m, k, n) in [
        (2, 1024, 65),
        (29, 1024, 100),
        (13, 2048, 70),
        (137, 2048, 66),
        (5, 3000, 33),
    ] {
        check(&numbers(m * k, 1), &numbers(n * k, 2), m, k, n);
    }
}

#[test]
fn pushed_columns_equal_those_packed_at_once() {
    let (n, k) = (170, 18);
    let w = numbers(n * k, 5);
    // The columns are slices of longer rows.
    let (stride, first) = (k + 7, 3);
    let mut rows = vec![-1.0; n * stride];
    for (row, w) in rows.chunks_exact_mut(stride).zip(w.chunks_exact(k)) {
        row[first..first + k].copy_from_slice(w);
    }
    let mut grown = PackedMatrix::with_capacity(k, 50).unwrap();
    let mut done = 0;
    for count in [1, 1, 0, 30, 31, 2, 64, 40, 1] {
        let rows = &rows[done * stride..(done + count) * stride];
        grown.push_columns(rows, stride, first).unwrap();
        done += count;
        let at_once = PackedMatrix::from_out_in(done, k, &w[..done * k]).unwrap();
        assert_eq!(grown, at_once);
    }
    for j in (0..n).rev().step_by(7) {
        grown.truncate(j);
        assert_eq!(grown, PackedMatrix::from_out_in(j, k, &w[..j * k]).unwrap());
    }
}

#[test]
fn wrong_shapes_are_rejected() {
    let packed = PackedMatrix::from_out_in(3, 2, &[1.0; 6]).unwrap();
    for isa in Isa::ALL {
        let mut out = [0.0; 6];
        let error = matmul(isa, &[1.0; 3], &packed, &mut out).unwrap_err();
        let expected = Expected::Exactly(4);
        assert_eq!(error, Error::shape("matmul", "elements of a", expected, 3));
        assert_eq!(error.to_string(), "matmul: elements of a: expected 4, found 3");
        assert!(matches!(
            matmul(isa, &[1.0; 4], &packed, &mut out[..5]),
            Err(Error::Shape { .. })
        ));
        assert!(matches!(
            matmul(isa, &[1.0; 2], &packed, &mut out),
            Err(Error::Shape { .. })
        ));
        let past = matmul_panels(isa, Accumulate::Overwrite, &[1.0; 2], &packed, 0..2, &mut out);
        assert!(matches!(past, Err(Error::Shape { .. })));
        let at = matmul_transposed_a(isa, Accumulate::Overwrite, &[1.0; 4], 2, 0..3, &packed, &mut out);
        assert!(matches!(at, Err(Error::Shape { .. })));
        assert_eq!(matmul(isa, &[], &packed, &mut []), Ok(()));
    }
    assert!(matches!(
        PackedMatrix::from_out_in(2, 3, &[0.0; 5]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        PackedMatrix::from_out_in(usize::MAX, 2, &[]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        PackedMatrix::from_out_in(0, usize::MAX, &[]),
        Err(Error::Shape { .. })
    ));
    let mut empty = PackedMatrix::default();
    assert!(matches!(empty.push_columns(&[], 0, 0), Err(Error::Shape { .. })));
    let mut two = PackedMatrix::with_capacity(2, 1).unwrap();
    for (rows, stride, first) in [(3, 3, 2), (3, 2, 0), (2, 1, 0), (2, 2, 1), (2, 2, usize::MAX)] {
        let pushed = two.push_columns(&[1.0; 3][..rows], stride, first);
        assert!(matches!(pushed, Err(Error::Shape { .. })), "{rows} {stride} {first}");
    }
    assert!(PackedMatrix::with_capacity(1 << 20, 1 << 40).is_err());
    assert!(PackedMatrix::with_capacity(usize::MAX, 1).is_err());
}

#[test]
fn product_over_no_terms_is_zero_or_leaves_the_output_unchanged() {
    let packed = PackedMatrix::from_out_in(5, 0, &[]).unwrap();
    let mut out = [3.0; 10];
    matmul_accumulate(Isa::detect(), Accumulate::Add, &[], &packed, &mut out).unwrap();
    assert_eq!(out, [3.0; 10]);
    matmul(Isa::detect(), &[], &packed, &mut out).unwrap();
    assert_eq!(out, [0.0; 10]);
}

/// Rows, and the panels of one row, are distributed over threads.
#[test]
fn product_is_the_same_on_one_two_and_four_threads() {
    let (m, k, n) = (37, 300, 130);
    let (a, w) = (numbers(m * k, 6), numbers(n * k, 7));
    let packed = PackedMatrix::from_out_in(n, k, &w).unwrap();
    let expected = reference(&a, &w, m, k, n, None);
    for isa in Isa::available() {
        for threads in [1usize, 2, 4] {
            let packed = &packed;
            let rows = m.div_ceil(threads);
            let mut out = vec![9.0; m * n];
            std::thread::scope(|scope| {
                for (a, out) in a.chunks(rows * k).zip(out.chunks_mut(rows * n)) {
                    scope.spawn(move || matmul(isa, a, packed, out).unwrap());
                }
            });
            assert_eq!(bits(&out), bits(&expected), "{isa:?} {threads}");
            let panels = packed.panels().div_ceil(threads);
            let mut row = vec![9.0; n];
            std::thread::scope(|scope| {
                let a = &a[..k];
                for (t, out) in row.chunks_mut(panels * PANEL).enumerate() {
                    let part = t * panels..packed.panels().min((t + 1) * panels);
                    scope.spawn(move || {
                        matmul_panels(isa, Accumulate::Overwrite, a, packed, part, out).unwrap();
                    });
                }
            });
            assert_eq!(bits(&row), bits(&expected[..n]), "{isa:?} {threads}");
        }
    }
}

#[test]
fn matrix_set_in_parts_equals_the_one_packed_at_once_and_returns_its_rows() {
    for (n, k) in [(1, 1), (33, 5), (64, 40), (100, 17)] {
        let w = numbers(n * k, 7);
        let whole = PackedMatrix::from_out_in(n, k, &w).unwrap();
        let mut parts = PackedMatrix::zeros(n, k).unwrap();
        for (i, rows) in w.chunks(32 * k).enumerate() {
            parts.set_rows(32 * i, rows).unwrap();
        }
        assert_eq!(parts, whole);
        let mut row = vec![0.0; k];
        for i in 0..n {
            whole.row(i, &mut row).unwrap();
            assert_eq!(bits(&row), bits(&w[i * k..(i + 1) * k]));
        }
        assert!(matches!(whole.row(n, &mut row), Err(Error::IndexOutOfRange { .. })));
        assert!(matches!(parts.set_rows(1, &w), Err(Error::Shape { .. })));
        assert!(matches!(
            parts.set_rows(0, &numbers((n + 32) * k, 1)),
            Err(Error::Shape { .. })
        ));
    }
}
