// SPDX-License-Identifier: Apache-2.0
//! Well-formed GGUF files are read, all others are refused with the right error.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::files::{writer::Writer, BlockFormat, ElementType, FileError, Gguf, Source};
use common::models::*;

fn read(bytes: &[u8]) -> Result<Gguf, FileError> {
    Gguf::read(&bytes)
}

fn refused(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// A file of one tensor.
fn one(dims: &[u64], element: ElementType, bytes: usize) -> Vec<u8> {
    Writer::new().tensor("t", dims, element, vec![1; bytes]).finish()
}

/// Returns the offset of the last occurrence of some bytes.
fn find(file: &[u8], bytes: &[u8]) -> usize {
    file.windows(bytes.len()).rposition(|window| window == bytes).unwrap()
}

#[test]
fn values_and_places_are_read_as_written() {
    let file = Writer::new()
        .u32("a.u32", 7)
        .f32("a.f32", 0.5)
        .bool("a.bool", true)
        .text("a.text", "\u{e9}")
        .raw("a.i8", 1, &[0xfe])
        .raw("a.u64", 10, &u64::MAX.to_le_bytes())
        .raw("a.f64", 12, &1e300f64.to_le_bytes())
        .texts("a.texts", &[&b"x"[..], b"", b"\xff"])
        .i32s("a.i32s", &[-1, 2])
        .tensor_f32("first", &[3, 2], &[1.0; 6])
        .tensor("second", &[32], ElementType::Block(BlockFormat::Q8_0), vec![2; 34])
        .finish();
    let gguf = read(&file).unwrap();
    let m = &gguf.metadata;
    assert_eq!(m.u64("a.u32").unwrap(), Some(7));
    assert_eq!(m.u64("a.u64").unwrap(), Some(u64::MAX));
    assert_eq!(m.f32("a.f32").unwrap(), Some(0.5));
    assert_eq!(m.bool("a.bool").unwrap(), Some(true));
    assert_eq!(m.str("a.text").unwrap(), Some("\u{e9}"));
    assert_eq!(m.u64("absent").unwrap(), None);
    let texts = m.strings("a.texts").unwrap().unwrap();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [&b"x"[..], b"", b"\xff"]);
    assert_eq!((texts.len(), texts.get(3)), (3, None));
    let numbers = m.numbers("a.i32s").unwrap().unwrap();
    assert_eq!(
        format!("{:?}", numbers.iter().collect::<Vec<_>>()),
        "[Signed(-1), Signed(2)]"
    );
    assert_eq!(format!("{:?}", m.get("a.i8").unwrap()), "Signed(-2)");
    assert_eq!(
        m.u64("a.i8").unwrap_err().to_string(),
        "a.i8 is not an unsigned integer"
    );
    let [first, second] = &gguf.tensors[..] else {
        panic!("{:?}", gguf.tensors)
    };
    assert_eq!((first.dims.as_slice(), first.bytes), (&[3, 2][..], 24));
    assert_eq!(
        (second.element, second.bytes),
        (ElementType::Block(BlockFormat::Q8_0), 34)
    );
    assert_eq!(second.offset - first.offset, 32);
    assert_eq!(file.as_slice().size(), second.offset + 34);
}

#[test]
fn version_2_is_read_and_others_are_refused() {
    let mut file = one(&[1], ElementType::F32, 4);
    for (version, answer) in [
        (2u32, None),
        (1, Some("GGUF version 1 is not supported, only 2 and 3, little endian")),
        (
            0x0300_0000,
            Some("GGUF version 50331648 is not supported, only 2 and 3, little endian"),
        ),
    ] {
        file[4..8].copy_from_slice(&version.to_le_bytes());
        let refusal = read(&file).err().map(|error| error.to_string());
        assert_eq!(refusal.as_deref(), answer);
    }
    assert_eq!(refused(b"GGML\x03\0\0\0"), "not a GGUF file");
}

#[test]
fn file_is_refused_when_it_is_truncated() {
    let file = gguf("gemma3", 1);
    for length in (0..file.len() - 1).step_by(97).chain([file.len() - 1]) {
        let refusal = read(&file[..length]);
        assert!(
            matches!(refusal, Err(FileError::Truncated { .. } | FileError::OutOfFile { .. })),
            "{length}: {refusal:?}"
        );
    }
}

#[test]
fn counts_and_lengths_are_refused_when_they_are_out_of_bounds() {
    let counts = |tensors: u64, keys: u64| {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(tensors.to_le_bytes());
        file.extend(keys.to_le_bytes());
        file
    };
    assert_eq!(
        refused(&counts(u64::MAX, 0)),
        "tensors: 18446744073709551615 exceeds 65536"
    );
    assert_eq!(refused(&counts(0, 4097)), "keys: 4097 exceeds 4096");
    assert_eq!(
        refused(&counts(0, 4096)),
        "the values at byte 24 needs 53248 bytes, 0 remain"
    );
    assert_eq!(
        refused(&counts(65536, 0)),
        "the tensors at byte 24 needs 2097152 bytes, 0 remain"
    );
    let long = "k".repeat(257);
    assert_eq!(refused(&Writer::new().u32(&long, 0).finish()), "a key: 257 exceeds 256");
    let array = |number: u32, count: u64| {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend(count.to_le_bytes());
        refused(&Writer::new().raw("k", 9, &bytes).finish())
    };
    assert_eq!(array(8, u64::MAX), "strings: 18446744073709551615 exceeds 134217728");
    assert_eq!(
        array(8, 1000),
        "an array of strings at byte 49 needs 8000 bytes, 0 remain"
    );
    assert_eq!(
        array(12, 1 << 27),
        "an array at byte 49 needs 1073741824 bytes, 0 remain"
    );
    let text = refused(&Writer::new().raw("k", 8, &u64::MAX.to_le_bytes()).finish());
    assert_eq!(text, "a string: 18446744073709551615 exceeds 1048576");
}

#[test]
fn values_are_refused_when_they_are_malformed() {
    let raw = |number, bytes: &[u8]| refused(&Writer::new().raw("k", number, bytes).finish());
    assert_eq!(raw(13, &[0; 8]), "k: value type 13 does not exist");
    assert_eq!(raw(7, &[2]), "k: a boolean is 2");
    assert_eq!(
        raw(9, &[9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        "k: nested arrays are not supported"
    );
    assert_eq!(raw(9, &[7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]), "k: a boolean is 3");
    assert_eq!(
        raw(8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]),
        "a string at byte 46 is not UTF-8"
    );
    assert_eq!(
        refused(&Writer::new().u32("k", 0).u32("k", 0).finish()),
        "k is duplicated"
    );
}

#[test]
fn tensors_are_refused_when_their_shape_or_type_is_invalid() {
    assert_eq!(refused(&one(&[], ElementType::F32, 4)), "tensor t: shape [] is invalid");
    assert_eq!(
        refused(&one(&[0, 2], ElementType::F32, 4)),
        "tensor t: shape [0, 2] is invalid"
    );
    assert_eq!(
        refused(&one(&[1 << 32, 1 << 32], ElementType::F32, 4)),
        "tensor t: shape [4294967296, 4294967296] is invalid"
    );
    assert_eq!(
        refused(&one(&[1 << 62], ElementType::F32, 4)),
        "tensor t: shape [4611686018427387904] is invalid"
    );
    assert_eq!(
        refused(&one(&[1; 5], ElementType::F32, 4)),
        "dimensions of a tensor: 5 exceeds 4"
    );
    assert_eq!(
        refused(&one(&[33], ElementType::Block(BlockFormat::Q4_0), 36)),
        "tensor t: rows of 33 elements are not a multiple of 32"
    );
    let mut file = one(&[1], ElementType::F32, 4);
    let number = find(&file, b"t\x01\0\0\0") + 13;
    file[number] = 16;
    assert_eq!(refused(&file), "tensor t: element type 16 is not supported");
}

#[test]
fn tensors_are_refused_when_their_data_overlap_or_exceed_the_file() {
    let two = |second: &str| {
        Writer::new()
            .tensor_f32("a", &[16], &[1.0; 16])
            .tensor_f32(second, &[1], &[1.0])
            .finish()
    };
    assert_eq!(refused(&two("a")), "tensor a is duplicated");
    let file = two("b");
    let offset = find(&file, &[64, 0, 0, 0, 0, 0, 0, 0]);
    let with = |value: u64| {
        let mut file = file.clone();
        file[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        refused(&file)
    };
    assert_eq!(with(32), "tensors a and b overlap");
    assert_eq!(with(8), "tensor b: offset 8 is not aligned to 32");
    assert_eq!(with(96), "tensor b: bytes 192 to 196 exceed the file size 164");
    assert_eq!(
        with(u64::MAX - 31),
        "tensor b: bytes 18446744073709551615 to 18446744073709551615 exceed the file size 164"
    );
    for alignment in [0, 3, 1 << 21] {
        let file = Writer::new().u32("general.alignment", alignment).finish();
        let expected = format!("alignment {alignment} is invalid");
        assert_eq!(refused(&file), expected);
    }
}

#[test]
fn writer_is_deterministic() {
    assert_eq!(gguf("llama", 5), gguf("llama", 5));
    assert_ne!(gguf("llama", 5), gguf("llama", 6));
}
