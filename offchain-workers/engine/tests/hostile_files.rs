// SPDX-License-Identifier: Apache-2.0
//! Damaged model files are read or refused, without panics, in memory of about the file's size.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    files::{FileError, Gguf, ModelFile},
    text::{ChatTemplate, Tokenizer},
};
use common::models::*;
use proptest::prelude::*;
use std::sync::OnceLock;

/// Reads all tensors.
fn use_all(file: ModelFile) {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for part in file.parts() {
        let (rows, _) = file.shape(part).unwrap();
        if let Err(error) = file.read_rows(part, 0, rows, &mut bytes) {
            // A flipped bit may make a value infinite or a NaN.
            assert!(matches!(error, FileError::NotFinite { .. }), "{error}");
        }
        let _ = file.read_f32(part, 0, rows, &mut values);
    }
    let _ = ChatTemplate::from_model(&file);
    if let Ok(tokenizer) = Tokenizer::from_model(&file) {
        let _ = tokenizer.encode("a b \u{e9}", true).map(|t| tokenizer.decode(&t));
    }
}

fn file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| gguf("gemma3", 1))
}

/// Returns the peak memory of this process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.unwrap().split_whitespace().nth(1).unwrap();
    1024 * digits.parse::<u64>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn gguf_is_read_or_refused_when_it_is_damaged(
        length in 0..=100usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        header in any::<bool>(),
    ) {
        let before = peak();
        let mut bytes = file()[..file().len() - length * (length % 7)].to_vec();
        // Half of the flips are in the header, a small part of the file.
        let within = if header { 8000.min(bytes.len()) } else { bytes.len() };
        for (place, value) in flips {
            let place = place.index(within);
            bytes[place] = value;
        }
        if let Ok(file) = ModelFile::from_gguf(Box::new(bytes)) {
            use_all(file);
        }
        prop_assert!(peak().saturating_sub(before) < 64 << 20);
    }

    #[test]
    fn folder_is_read_or_refused_when_it_is_damaged(
        cut in 0..64usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        in_config in any::<bool>(),
    ) {
        let mut tensors = safetensors(&folder_tensors("gemma3", 1));
        let mut config = config_json("gemma3").to_string().into_bytes();
        tensors.truncate(tensors.len() - cut);
        for (place, value) in flips {
            let bytes = if in_config { &mut config } else { &mut tensors };
            let place = place.index(bytes.len().min(8000));
            bytes[place] = value;
        }
        let mut all = folder(&serde_json::Value::Null, vec![tensors]);
        all.config = config;
        if let Ok(file) = ModelFile::from_folder(all) {
            use_all(file);
        }
    }

    #[test]
    fn bytes_are_refused_when_they_are_random(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut file = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
        file.extend(&bytes);
        prop_assert!(Gguf::read(&file).is_err());
        prop_assert!(Gguf::read(&bytes).is_err());
    }
}

#[test]
fn files_that_fuzzing_found_are_read_or_refused() {
    let found = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus-found");
    let files = |kind: &str| {
        let entries = std::fs::read_dir(found.join(kind)).unwrap();
        entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
    };
    for bytes in files("json") {
        assert!(Tokenizer::from_json(&bytes, 300).is_err());
    }
}
