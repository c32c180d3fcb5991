// SPDX-License-Identifier: Apache-2.0
//! Sums, maxima and elementwise operations follow their canonical order on every instruction set.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_exact::{elementwise, reduce, Error, Isa};
use common::{any_number, bits, dot16, finite, same_on_every_isa, sum16};
use proptest::prelude::*;

fn number(x: f32) -> Result<u32, Error> {
    if x.is_nan() {
        Err(Error::NotANumber)
    } else {
        Ok(x.to_bits())
    }
}

fn pairs(length: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (0..length).prop_flat_map(|n| {
        let v = || prop::collection::vec(any_number(), n);
        (v(), v())
    })
}

type Binary = (
    fn(f32, f32) -> f32,
    fn(Isa, &[f32], &[f32], &mut [f32]) -> agorai_exact::Result<()>,
);

/// An operation that updates a slice in place, and the same operation on one element of each slice.
type InPlace<'a> = &'a dyn Fn(Isa, &mut [f32]) -> agorai_exact::Result<()>;
type Function<'a> = &'a dyn Fn(f32, f32) -> f32;

const BINARIES: [Binary; 3] = [
    (|a, b| a + b, elementwise::add),
    (|a, b| a - b, elementwise::sub),
    (|a, b| a * b, elementwise::mul),
];

proptest! {
    #[test]
    fn sums_follow_their_canonical_order((a, b) in pairs(100)) {
        for isa in Isa::available() {
            let sum = reduce::sum16(isa, &a).map(f32::to_bits);
            prop_assert_eq!(sum, number(sum16(&a)));
            let dot = reduce::dot16(isa, &a, &b).map(f32::to_bits);
            prop_assert_eq!(dot, number(dot16(&a, &b)));
            let squares = reduce::sum_sq16(isa, &a).map(f32::to_bits);
            prop_assert_eq!(squares, number(dot16(&a, &a)));
            if !a.is_empty() {
                let mean = reduce::mean(isa, &a).map(f32::to_bits);
                prop_assert_eq!(mean, number(sum16(&a) / a.len() as f32));
            }
        }
    }

    #[test]
    fn maxima_are_the_same_whatever_the_order((a, _) in pairs(100)) {
        prop_assume!(!a.is_empty());
        let largest = a.iter().copied().fold(f32::NEG_INFINITY, f32::max) + 0.0;
        let absolute = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let first = a.iter().position(|&x| x == largest).unwrap();
        for isa in Isa::available() {
            prop_assert_eq!(reduce::max(isa, &a).unwrap().to_bits(), largest.to_bits());
            prop_assert_eq!(reduce::max_abs(isa, &a).unwrap().to_bits(), absolute.to_bits());
            prop_assert_eq!(reduce::argmax(isa, &a).unwrap(), first);
        }
    }

    #[test]
    fn elementwise_operations_round_once((a, b) in pairs(50), alpha in any_number()) {
        for (function, slices) in BINARIES {
            let expected: Vec<f32> = a.iter().zip(&b).map(|(&a, &b)| function(a, b)).collect();
            let result = same_on_every_isa(|isa| {
                let mut out = vec![9.0; a.len()];
                slices(isa, &a, &b, &mut out).map(|()| ((), out))
            });
            match result {
                Ok((_, out)) => prop_assert_eq!(bits(&out), bits(&expected)),
                Err(e) => {
                    prop_assert_eq!(e, Error::NotANumber);
                    prop_assert!(expected.iter().any(|x| x.is_nan()));
                }
            }
        }
        let in_place: [(&str, InPlace, Function); 4] = [
            ("add_assign", &|isa, y| elementwise::add_assign(isa, y, &a), &|x, y| y + x),
            ("axpy", &|isa, y| elementwise::axpy(isa, alpha, &a, y), &|x, y| alpha.mul_add(x, y)),
            ("decay_add", &|isa, y| elementwise::decay_add(isa, alpha, y, &a), &|x, y| alpha.mul_add(y, x)),
            ("scale", &|isa, y| elementwise::scale(isa, alpha, y), &|_, y| alpha * y),
        ];
        for (name, run, function) in in_place {
            let expected: Vec<f32> = a.iter().zip(&b).map(|(&x, &y)| function(x, y)).collect();
            let result = same_on_every_isa(|isa| {
                let mut y = b.clone();
                run(isa, &mut y).map(|()| ((), y))
            });
            match result {
                Ok((_, y)) => prop_assert_eq!(bits(&y), bits(&expected), "{}", name),
                Err(e) => prop_assert_eq!(e, Error::NotANumber),
            }
        }
    }

    #[test]
    fn nan_is_rejected_at_any_position(mut x in prop::collection::vec(finite(), 1..80), at: usize) {
        let at = at % x.len();
        x[at] = f32::NAN;
        for isa in Isa::available() {
            prop_assert_eq!(reduce::sum16(isa, &x), Err(Error::NotANumber));
            prop_assert_eq!(reduce::max(isa, &x), Err(Error::NotANumber));
            prop_assert_eq!(reduce::max_abs(isa, &x), Err(Error::NotANumber));
            prop_assert_eq!(reduce::argmax(isa, &x), Err(Error::NotANumber));
            prop_assert_eq!(reduce::reject_nan(isa, &x), Err(Error::NotANumber));
            let mut out = x.clone();
            prop_assert_eq!(elementwise::scale(isa, 1.0, &mut out), Err(Error::NotANumber));
        }
    }
}

#[test]
fn empty_slices_have_a_sum_but_no_mean_or_maximum() {
    for isa in Isa::ALL {
        assert_eq!(reduce::sum16(isa, &[]), Ok(0.0));
        assert_eq!(reduce::max_abs(isa, &[]), Ok(0.0));
        assert!(matches!(reduce::mean(isa, &[]), Err(Error::Shape { .. })));
        assert!(matches!(reduce::max(isa, &[]), Err(Error::Shape { .. })));
        assert!(matches!(reduce::argmax(isa, &[]), Err(Error::Shape { .. })));
        assert!(matches!(reduce::dot16(isa, &[1.0], &[]), Err(Error::Shape { .. })));
    }
}
