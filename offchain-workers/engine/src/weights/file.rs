// SPDX-License-Identifier: Apache-2.0
//! Weights as a safetensors file.
//!
//! Writing is canonical: the same weights always give the same bytes, hence the same name. The header
//! lists the tensors in the layout's order after the optional metadata, without spaces, padded with
//! spaces to a multiple of 8; the data follow in the same order. Reading accepts any well-formed file
//! with exactly the right tensors.

use super::{Layout, Weights};
use crate::{Error, Result};
use agorai_primitives::{model::Architecture, BlobId};
use safetensors::{Dtype, SafeTensors};

/// Key of the metadata that names the tokenizer's blob.
const TOKENIZER: &str = "tokenizer";

/// Room for the header of a file beyond its tensors: 1 KiB for each tensor.
const HEADER_PER_TENSOR: u64 = 1024;

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Weights(reason.into()))
}

/// Most bytes of a file with an architecture's weights.
pub fn most_bytes(architecture: &Architecture) -> u64 {
    let tensors = 3 + 9 * u64::from(architecture.layers);
    4 * architecture.parameters() + tensors * HEADER_PER_TENSOR
}

/// Reads weights. Refused: another set of names, shapes or types than the architecture's; overlapping
/// or missing data; values that are not finite; a file longer than [`most_bytes`].
pub fn read(architecture: &Architecture, bytes: &[u8]) -> Result<Weights> {
    architecture.validate()?;
    if bytes.len() as u64 > most_bytes(architecture) {
        return refuse(format!("{} bytes are too many", bytes.len()));
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| Error::Weights(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| Error::Weights(error.to_string()))?;
    // The file must hold the data before anything of the architecture's size is allocated.
    if (bytes.len() as u64) < 4 * architecture.parameters() {
        return refuse(format!("{} bytes are too few", bytes.len()));
    }
    let layout = Layout::new(architecture);
    if file.len() != layout.slots.len() {
        return refuse(format!("{} tensors instead of {}", file.len(), layout.slots.len()));
    }
    let mut values = Vec::with_capacity(layout.len());
    for slot in &layout.slots {
        let Ok(tensor) = file.tensor(&slot.name) else {
            return refuse(format!("{} is missing", slot.name));
        };
        if tensor.dtype() != Dtype::F32 {
            return refuse(format!("{} is {:?}, not F32", slot.name, tensor.dtype()));
        }
        if tensor.shape() != slot.shape {
            return refuse(format!(
                "{} has shape {:?} instead of {:?}",
                slot.name,
                tensor.shape(),
                slot.shape
            ));
        }
        let from = values.len();
        super::extend_from_le_bytes(&mut values, tensor.data());
        if !values[from..].iter().all(|v| v.is_finite()) {
            return refuse(format!("{} holds values that are not finite", slot.name));
        }
    }
    let tokenizer = match metadata.metadata().as_ref().and_then(|m| m.get(TOKENIZER)) {
        None => None,
        Some(text) => match text.parse::<BlobId>() {
            Ok(id) => Some(id),
            Err(error) => return refuse(format!("tokenizer: {error}")),
        },
    };
    Ok(Weights {
        architecture: *architecture,
        layout,
        values,
        tokenizer,
    })
}

/// Writes weights.
pub fn write(weights: &Weights) -> Vec<u8> {
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
    super::extend_le_bytes(&mut bytes, &weights.values);
    bytes
}
