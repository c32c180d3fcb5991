// SPDX-License-Identifier: Apache-2.0
//! Weights to and from candle's tensors: how checkpoints of other programs come in.
//!
//! Published checkpoints are mostly in bfloat16 or binary16. Every such value is a binary32 value too, so
//! reading them is exact.

use super::{Layout, Weights};
use crate::{Error, Result};
use agorai_primitives::model::Architecture;
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;

/// Name of the head in a checkpoint, absent where it shares the embedding's matrix.
const HEAD: &str = "lm_head.weight";
/// Name of the embedding in a checkpoint.
const EMBEDDING: &str = "model.embed_tokens.weight";

fn refuse(error: candle_core::Error) -> Error {
    Error::Weights(error.to_string())
}

/// The tensors by name, on the processor, in binary32.
pub fn to_tensors(weights: &Weights) -> Result<HashMap<String, Tensor>> {
    let slots = weights.layout.slots.iter();
    slots
        .map(|slot| {
            let values = &weights.values[slot.range.clone()];
            let tensor = Tensor::from_slice(values, &slot.shape[..], &Device::Cpu).map_err(refuse)?;
            Ok((slot.name.clone(), tensor))
        })
        .collect()
}

/// Weights from tensors by name, in binary32, binary16 or bfloat16. A missing head is the embedding's
/// matrix. Refused: other shapes or types, missing tensors, values that are not finite; tensors with
/// other names are left out.
pub fn from_tensors(architecture: &Architecture, tensors: &HashMap<String, Tensor>) -> Result<Weights> {
    architecture.validate()?;
    let layout = Layout::new(architecture);
    let mut values = Vec::new();
    for slot in &layout.slots {
        let tied = (slot.name == HEAD).then(|| tensors.get(EMBEDDING)).flatten();
        let tensor = tensors
            .get(&slot.name)
            .or(tied)
            .ok_or_else(|| Error::Weights(format!("{} is missing", slot.name)))?;
        if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) {
            let reason = format!("{} is {:?}", slot.name, tensor.dtype());
            return Err(Error::Weights(reason));
        }
        if tensor.dims() != slot.shape {
            let reason = format!(
                "{} has shape {:?} instead of {:?}",
                slot.name,
                tensor.dims(),
                slot.shape
            );
            return Err(Error::Weights(reason));
        }
        let part = tensor
            .to_device(&Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32))
            .and_then(|tensor| tensor.flatten_all())
            .and_then(|tensor| tensor.to_vec1::<f32>())
            .map_err(refuse)?;
        if !part.iter().all(|value| value.is_finite()) {
            let reason = format!("{} holds values that are not finite", slot.name);
            return Err(Error::Weights(reason));
        }
        values.extend_from_slice(&part);
    }
    Ok(Weights {
        architecture: *architecture,
        layout,
        values,
        tokenizer: None,
    })
}

/// Weights from another program's safetensors file.
pub fn import(architecture: &Architecture, bytes: &[u8]) -> Result<Weights> {
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(refuse)?;
    from_tensors(architecture, &tensors)
}
