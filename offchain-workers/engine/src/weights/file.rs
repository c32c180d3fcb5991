// SPDX-License-Identifier: Apache-2.0
//! The weights of a chain model as a safetensors file.
//!
//! Writing is canonical: the same weights always yield the same bytes, hence the same name. The header lists the
//! tensors in the layout's order after the optional metadata, without spaces, padded with spaces to a multiple of 8;
//! the data follow in the same order. Reading accepts any well-formed file with exactly the right tensors.

use super::{flat::Weights, layout::Layout};
use crate::{
    bytes::{extend_from_le_bytes, extend_le_bytes},
    error::{Error, Result},
    files::{places::TensorInfo, safetensors, FileError},
};
use agorai_exact::element::ElementType;
use agorai_primitives::{model::Architecture, BlobId};

/// Key of the metadata that names the tokenizer's blob.
const TOKENIZER: &str = "tokenizer";

/// Maximum number of bytes of the header for each tensor.
const HEADER_PER_TENSOR: u64 = 1024;

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Weights(reason.into()))
}

/// Returns the maximum number of bytes of a file with the weights of an architecture.
pub fn max_bytes(architecture: &Architecture) -> u64 {
    let tensors = 3 + 9 * u64::from(architecture.layers);
    4 * architecture.parameters() + tensors * HEADER_PER_TENSOR
}

impl Weights {
    /// Reads a safetensors file with Hugging Face's names of a Llama.
    ///
    /// Errors: an invalid architecture; another set of names, shapes or element types than the architecture's, which
    /// are all binary32; tensors that overlap or do not cover the data; values that are not finite; a file longer than
    /// [`max_bytes`].
    pub fn from_safetensors(architecture: &Architecture, bytes: &[u8]) -> Result<Self> {
        architecture.validate()?;
        if bytes.len() as u64 > max_bytes(architecture) {
            return refuse(format!("{} bytes are too many", bytes.len()));
        }
        let file = safetensors::read_named(&bytes, |_| true).map_err(|error| {
            Error::Weights(match error {
                FileError::ElementType { name, element } => format!("{name} is {element}, not F32"),
                error => error.to_string(),
            })
        })?;
        // The file must hold the data before anything of the architecture's size is allocated.
        if (bytes.len() as u64) < 4 * architecture.parameters() {
            return refuse(format!("{} bytes are too few", bytes.len()));
        }
        let layout = Layout::new(architecture);
        if file.tensors.len() != layout.slots.len() {
            return refuse(format!(
                "{} tensors instead of {}",
                file.tensors.len(),
                layout.slots.len()
            ));
        }
        if !covers(&file.tensors, file.data, bytes.len() as u64) {
            return refuse("the tensors do not cover the data");
        }
        let mut values = Vec::with_capacity(layout.len());
        for slot in &layout.slots {
            let name = &slot.name;
            let Some(info) = file.tensors.iter().find(|info| info.name == *name) else {
                return refuse(format!("{name} is missing"));
            };
            if info.element != ElementType::F32 {
                return refuse(format!("{name} is {}, not F32", info.element.name()));
            }
            if !info.has_shape(&slot.shape) {
                return refuse(format!(
                    "{name} has shape {:?} instead of {:?}",
                    info.shape(),
                    slot.shape
                ));
            }
            let from = values.len();
            extend_from_le_bytes(&mut values, info.data(bytes).unwrap_or_default());
            if values.len() != slot.range.end || !values[from..].iter().all(|value| value.is_finite()) {
                return refuse(format!("{name} contains values that are not finite"));
            }
        }
        let tokenizer = match file.metadata.tokenizer {
            None => None,
            Some(id) => match id.parse::<BlobId>() {
                Ok(id) => Some(id),
                Err(error) => return refuse(format!("tokenizer: {error}")),
            },
        };
        Ok(Self {
            architecture: *architecture,
            layout,
            values,
            tokenizer,
        })
    }

    /// Returns the canonical safetensors file; its BLAKE3 hash names the weights.
    pub fn to_safetensors(&self) -> Vec<u8> {
        write(self)
    }
}

/// Returns whether tensors that do not overlap cover the bytes from `start` to `end` without gaps.
fn covers(tensors: &[TensorInfo], start: u64, end: u64) -> bool {
    let sum = tensors.iter().try_fold(0u64, |sum, info| sum.checked_add(info.bytes));
    sum == end.checked_sub(start)
}

fn write(weights: &Weights) -> Vec<u8> {
    use std::fmt::Write;
    let mut header = String::from("{");
    if let Some(id) = &weights.tokenizer {
        // Writing to a string cannot fail.
        let _ = write!(header, "\"__metadata__\":{{\"{TOKENIZER}\":\"{id}\"}},");
    }
    for (index, slot) in weights.layout.slots.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let shape: Vec<_> = slot.shape.iter().map(usize::to_string).collect();
        let _ = write!(
            header,
            "{comma}\"{}\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
            slot.name,
            shape.join(","),
            4 * slot.range.start,
            4 * slot.range.end
        );
    }
    header.push('}');
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + 4 * weights.values.len());
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    extend_le_bytes(&mut bytes, &weights.values);
    bytes
}
