// SPDX-License-Identifier: Apache-2.0
//! Compression and decompression of pseudo-gradients.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{compress, config::Part, weights::Layout, Weights};
use agorai_exact::Isa;
use agorai_primitives::training::Compression;
use common::*;

fn delta() -> Vec<f32> {
    Weights::init(&TINY, 9).unwrap().values
}

#[test]
fn dense_payload_is_the_pseudo_gradient() {
    let layout = Layout::new(&TINY);
    let sent = compress::compress(Isa::Scalar, &layout, Compression::Dense, &delta(), vec![]).unwrap();
    let received = compress::decode(&layout, Compression::Dense, &sent.payload).unwrap();
    assert_eq!(received, delta());
    assert!(sent.feedback.is_empty());
}

#[test]
fn error_feedback_holds_the_difference_to_the_payload() {
    let layout = Layout::new(&TINY);
    let compression = Compression::TopK { top: 512 };
    let sent = compress::compress(Isa::Scalar, &layout, compression, &delta(), vec![]).unwrap();
    let received = compress::decode(&layout, compression, &sent.payload).unwrap();
    for ((sent, feedback), all) in received.iter().zip(&sent.feedback).zip(delta()) {
        assert_eq!(*feedback, all - sent);
    }
    // An eighth of the values is sent, the largest ones.
    let count = received.iter().filter(|value| **value != 0.0).count();
    assert!((layout.len() / 9..layout.len() / 7).contains(&count), "{count}");
    let embedding = layout.range(Part::Embedding).unwrap();
    let energy = |values: &[f32]| values[embedding.clone()].iter().map(|v| v * v).sum::<f32>();
    let left = energy(&sent.feedback) / energy(&delta());
    assert!(left < 0.65, "{left}");
}

#[test]
fn error_feedback_is_added_in_the_next_round() {
    let layout = Layout::new(&TINY);
    let compression = Compression::TopK { top: 64 };
    let compress =
        |delta: &[f32], feedback| compress::compress(Isa::Scalar, &layout, compression, delta, feedback).unwrap();
    let first = compress(&delta(), Vec::new());
    let nothing = vec![0.0; layout.len()];
    let second = compress(&nothing, first.feedback.clone());
    let received = compress::decode(&layout, compression, &second.payload).unwrap();
    for ((sent, feedback), before) in received.iter().zip(&second.feedback).zip(&first.feedback) {
        assert_eq!(*feedback, 0.95f32.mul_add(*before, 0.0) - sent);
    }
    assert!(received.iter().any(|value| *value != 0.0));
    let bytes = compress::encode_feedback(&first.feedback);
    assert_eq!(compress::decode_feedback(&layout, &bytes), first.feedback);
}

#[test]
fn sparse_payload_of_the_small_model_is_an_eighteenth_of_the_dense_one() {
    let architecture = agorai_primitives::model::Architecture::SMALL;
    let sparse = compress::max_bytes(&architecture, Compression::TopK { top: 512 });
    let dense = compress::max_bytes(&architecture, Compression::Dense);
    assert!(dense / sparse >= 17, "{dense} / {sparse}");
}
