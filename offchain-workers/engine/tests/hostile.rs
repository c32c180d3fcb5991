// SPDX-License-Identifier: Apache-2.0
//! Untrusted blobs are read or refused, without panics.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{compress, text::Tokenizer, train::State, weights::Layout, Weights};
use agorai_exact::Isa;
use agorai_primitives::{training::Compression, BlobId};
use common::*;
use proptest::prelude::*;

const SPARSE: Compression = Compression::TopK { top: 64 };

fn file() -> Vec<u8> {
    Weights::init(&TINY, 1).unwrap().to_safetensors()
}

fn payload(compression: Compression) -> Vec<u8> {
    let layout = Layout::new(&TINY);
    let delta = Weights::init(&TINY, 2).unwrap().values;
    compress::compress(Isa::Scalar, &layout, compression, &delta, Vec::new())
        .unwrap()
        .payload
}

/// A well-formed file with a changed header.
fn with_header(change: impl FnOnce(String) -> String) -> Vec<u8> {
    let file = file();
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = change(String::from_utf8(file[8..8 + length].to_vec()).unwrap());
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&file[8 + length..]);
    bytes
}

fn refused(bytes: &[u8]) -> String {
    Weights::from_safetensors(&TINY, bytes).unwrap_err().to_string()
}

#[test]
fn weights_survive_their_file_and_have_one_name() {
    let weights = Weights::init(&TINY, 1).unwrap();
    let bytes = weights.to_safetensors();
    let read = Weights::from_safetensors(&TINY, &bytes).unwrap();
    assert_eq!(read, weights);
    assert_eq!(read.to_safetensors(), bytes);
    // The bits of initial weights and of their file are fixed.
    assert_eq!(
        BlobId::of(&bytes).to_string(),
        "cfade2fc4f1761bcd3b3da79eb0e50fbc4111b89d587940fb81a1f50ad6809c7"
    );
}

#[test]
fn tokenizer_of_weights_survives_their_file() {
    let mut weights = Weights::init(&TINY, 1).unwrap();
    weights.tokenizer = Some(BlobId::of(b"tokenizer.json"));
    let read = Weights::from_safetensors(&TINY, &weights.to_safetensors()).unwrap();
    assert_eq!(read.tokenizer, weights.tokenizer);
}

#[test]
fn weights_are_refused_when_a_tensor_is_missing_unknown_or_of_another_type() {
    assert!(Weights::from_safetensors(&TINY, &with_header(|h| h)).is_ok());
    let renamed = with_header(|h| h.replace("model.norm.weight", "model.norm.height"));
    assert!(refused(&renamed).contains("model.norm.weight is missing"));
    let dtype = with_header(|h| h.replacen("F32", "I32", 1));
    assert!(refused(&dtype).contains("not F32"), "{}", refused(&dtype));
    let shape = with_header(|h| h.replacen("[256,24]", "[24,256]", 1));
    assert!(refused(&shape).contains("shape"));
    let overlap = with_header(|h| h.replacen("[0,24576]", "[96,24672]", 1));
    refused(&overlap);
    assert!(Weights::from_safetensors(&agorai_primitives::model::Architecture::SMALL, &file()).is_err());
}

#[test]
fn weights_are_refused_when_the_header_is_ambiguous() {
    let with_metadata = |value: &str| with_header(|h| h.replacen('{', &format!("{{\"__metadata__\":{value},"), 1));
    for skipped in ["{}", r#"{"format":"pt"}"#, r#"{"nested":{"depth":[1]}}"#] {
        assert!(
            Weights::from_safetensors(&TINY, &with_metadata(skipped)).is_ok(),
            "{skipped}"
        );
    }
    for wrong in ["7", r#"{"tokenizer":7}"#, r#"{"tokenizer":"no id"}"#] {
        refused(&with_metadata(wrong));
    }
    let unknown_key = with_header(|h| h.replacen("\"dtype\"", "\"order\":\"C\",\"dtype\"", 1));
    refused(&unknown_key);
    let twice = with_header(|h| {
        let end = h.find("},").unwrap_or_default();
        format!("{{{},{}", &h[1..=end], &h[1..])
    });
    assert!(
        refused(&twice).contains("model.embed_tokens.weight"),
        "{}",
        refused(&twice)
    );
}

#[test]
fn weights_are_refused_when_truncated_too_long_or_not_finite() {
    let file = file();
    refused(&file[..file.len() - 4]);
    refused(&[&file[..], &[0; 4]].concat());
    refused(&[&file[..], &[0; 1 << 16]].concat());
    refused(b"");
    for value in [f32::NAN, f32::INFINITY] {
        let mut bad = file.clone();
        let at = bad.len() - 4;
        bad[at..].copy_from_slice(&value.to_le_bytes());
        assert!(refused(&bad).contains("not finite"));
    }
}

#[test]
fn payload_is_refused_when_its_encoding_is_not_canonical() {
    let layout = Layout::new(&TINY);
    let good = payload(SPARSE);
    assert!(compress::decode(&layout, SPARSE, &good).is_ok());
    assert_eq!(good.len() as u64, compress::max_bytes(&TINY, SPARSE));
    let refused = |bytes: &[u8]| compress::decode(&layout, SPARSE, bytes).is_err();
    assert!(refused(&good[1..]));
    assert!(refused(&[&good[..], &[0]].concat()));
    assert!(refused(&payload(Compression::Dense)));
    // Magic 16, density 2, table 16: then the first two indices in 3 bytes; make them equal.
    let mut equal = good.clone();
    equal[34..37].copy_from_slice(&[1, 0x10, 0]);
    assert!(refused(&equal));
    let mut infinite = good;
    infinite[18..34].copy_from_slice(&f32::INFINITY.to_le_bytes().repeat(4));
    assert!(refused(&infinite));
}

#[test]
fn tokenizer_is_refused_when_it_is_malformed() {
    assert!(Tokenizer::from_json(b"{}", 300).is_err());
    assert!(Tokenizer::bytes(300).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let layout = Layout::new(&TINY);
        prop_assert!(Weights::from_safetensors(&TINY, &bytes).is_err());
        prop_assert!(compress::decode(&layout, SPARSE, &bytes).is_err());
        prop_assert!(compress::decode(&layout, Compression::Dense, &bytes).is_err());
        prop_assert_eq!(compress::decode_feedback(&layout, &bytes), Vec::<f32>::new());
        prop_assert!(State::from_bytes(layout.len(), 1, &bytes).is_none());
        prop_assert!(Tokenizer::from_json(&bytes, 300).is_err());
    }

    #[test]
    fn damaged_blobs_never_panic(at in any::<prop::sample::Index>(), mask in 1u8..) {
        let layout = Layout::new(&TINY);
        let mut bytes = file();
        // Half of the damage is in the header.
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let index = at.index(2 * header);
        bytes[index] ^= mask;
        let _ = Weights::from_safetensors(&TINY, &bytes);
        for compression in [SPARSE, Compression::Dense] {
            let mut bytes = payload(compression);
            let index = at.index(bytes.len());
            bytes[index] ^= mask;
            if let Ok(values) = compress::decode(&layout, compression, &bytes) {
                prop_assert!(values.iter().all(|value| value.is_finite()));
            }
        }
    }
}
