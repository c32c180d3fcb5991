// SPDX-License-Identifier: Apache-2.0
//! Checkpoints of other programs.
//!
//! Published checkpoints are mostly in bfloat16 or binary16. Every such value is a binary32 value too, so reading them
//! is exact.

use super::{flat::Weights, layout::Layout};
use crate::{
    config::Part,
    error::{Error, Result},
    files::safetensors,
};
use agorai_primitives::model::Architecture;

impl Weights {
    /// Reads a safetensors checkpoint of a Llama with Hugging Face's names, in binary32, binary16 or bfloat16. A
    /// missing head is the embedding matrix; tensors with other names are ignored.
    ///
    /// Errors: an invalid architecture, a malformed file, missing tensors, other shapes or element types, values that
    /// are not finite.
    pub fn import(architecture: &Architecture, bytes: &[u8]) -> Result<Self> {
        architecture.validate()?;
        let layout = Layout::new(architecture);
        let is_known = |name: &str| layout.slots.iter().any(|slot| slot.name == name);
        let file = safetensors::read_named(&bytes, is_known)?;
        let find = |name: &str| file.tensors.iter().find(|info| info.name == name);
        let embedding = layout.slots.iter().find(|slot| slot.part == Part::Embedding);
        let mut values = Vec::new();
        let mut tensor = Vec::new();
        for slot in &layout.slots {
            let tied = embedding.filter(|_| slot.part == Part::Head);
            let info = find(&slot.name)
                .or_else(|| find(&tied?.name))
                .ok_or_else(|| Error::Weights(format!("{} is missing", slot.name)))?;
            let name = &slot.name;
            if !info.has_shape(&slot.shape) {
                let reason = format!("{name} has shape {:?} instead of {:?}", info.shape(), slot.shape);
                return Err(Error::Weights(reason));
            }
            let data = info.data(bytes);
            let element = info.element;
            if !data.is_some_and(|data| element.decode_plain(data, &mut tensor)) {
                return Err(Error::Weights(format!("{name} is {}", element.name())));
            }
            if !tensor.iter().all(|value| value.is_finite()) {
                return Err(Error::Weights(format!("{name} contains values that are not finite")));
            }
            values.extend_from_slice(&tensor);
        }
        Ok(Self {
            architecture: *architecture,
            layout,
            values,
            tokenizer: None,
        })
    }
}
