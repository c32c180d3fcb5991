// SPDX-License-Identifier: Apache-2.0
//! A writer of GGUF files, for tests: the same calls always write the same bytes.

use super::{element, metadata::Scalar};
use agorai_exact::element::ElementType;

/// The default alignment.
const ALIGNMENT: usize = 32;

/// Writes a GGUF file of version 3. Keys, values and tensors are not checked, so that malformed files can be written
/// too.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    keys: u64,
    values: Vec<u8>,
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl Writer {
    /// Returns a writer of a file without values and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value of any type by its number and bytes.
    pub fn raw(mut self, key: &str, number: u32, bytes: &[u8]) -> Self {
        self.keys += 1;
        push_text(&mut self.values, key.as_bytes());
        self.values.extend_from_slice(&number.to_le_bytes());
        self.values.extend_from_slice(bytes);
        self
    }

    /// Adds a 32-bit unsigned integer.
    pub fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, Scalar::U32 as u32, &value.to_le_bytes())
    }

    /// Adds a binary32.
    pub fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, Scalar::F32 as u32, &value.to_le_bytes())
    }

    /// Adds a boolean.
    pub fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, Scalar::Bool as u32, &[u8::from(value)])
    }

    /// Adds a string.
    pub fn text(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        push_text(&mut bytes, value.as_bytes());
        self.raw(key, 8, &bytes)
    }

    /// Adds an array of strings.
    pub fn texts<T: AsRef<[u8]>>(self, key: &str, texts: &[T]) -> Self {
        let mut bytes = 8u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(texts.len() as u64).to_le_bytes());
        for text in texts {
            push_text(&mut bytes, text.as_ref());
        }
        self.raw(key, 9, &bytes)
    }

    /// Adds an array of 32-bit signed integers.
    pub fn i32s(self, key: &str, values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.numbers(key, Scalar::I32, values.len(), bytes.collect())
    }

    /// Adds an array of binary32.
    pub fn f32s(self, key: &str, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.numbers(key, Scalar::F32, values.len(), bytes.collect())
    }

    fn numbers(self, key: &str, scalar: Scalar, count: usize, values: Vec<u8>) -> Self {
        let mut bytes = (scalar as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(count as u64).to_le_bytes());
        bytes.extend_from_slice(&values);
        self.raw(key, 9, &bytes)
    }

    /// Adds a tensor: its dimensions, the innermost first, and its bytes.
    pub fn tensor(mut self, name: &str, dims: &[u64], element: ElementType, bytes: Vec<u8>) -> Self {
        let tensor = (name.into(), dims.to_vec(), element::gguf_number(element), bytes);
        self.tensors.push(tensor);
        self
    }

    /// Adds a tensor of binary32.
    pub fn tensor_f32(self, name: &str, dims: &[u64], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.tensor(name, dims, ElementType::F32, bytes.collect())
    }

    /// Returns the file.
    pub fn finish(self) -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend_from_slice(&(self.tensors.len() as u64).to_le_bytes());
        file.extend_from_slice(&self.keys.to_le_bytes());
        file.extend_from_slice(&self.values);
        let mut offset = 0;
        for (name, dims, number, bytes) in &self.tensors {
            push_text(&mut file, name.as_bytes());
            file.extend_from_slice(&(dims.len() as u32).to_le_bytes());
            for dim in dims {
                file.extend_from_slice(&dim.to_le_bytes());
            }
            file.extend_from_slice(&number.to_le_bytes());
            file.extend_from_slice(&(offset as u64).to_le_bytes());
            offset = (offset + bytes.len()).next_multiple_of(ALIGNMENT);
        }
        for (.., bytes) in &self.tensors {
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
            file.extend_from_slice(bytes);
        }
        file
    }
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text);
}
