// SPDX-License-Identifier: Apache-2.0
//! Weights: all parameters of a model in one flat run of binary32.

mod file;
mod import;
mod init;
mod layout;
mod parts;

pub use file::most_bytes;
pub use layout::{Block, Layout, Slot};
pub(crate) use parts::{config, FlatParts};

use crate::Result;
use agorai_primitives::{model::Architecture, BlobId};
use candle_core::Tensor;
use std::{borrow::Cow, collections::HashMap};

/// The parameters of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The shape.
    pub architecture: Architecture,
    /// Where each tensor stands.
    pub layout: Layout,
    /// All parameters, in the layout's order.
    pub values: Vec<f32>,
    /// The blob with the tokenizer (`tokenizer.json`), where tokens are not bytes.
    pub tokenizer: Option<BlobId>,
}

impl Weights {
    /// Fresh weights from a seed; the same bits on every machine.
    ///
    /// Matrices are normal with deviation 0.02, those that write to the residual stream
    /// 0.02 / sqrt(2 layers) (as GPT-2 does); norms are 1.
    pub fn init(architecture: &Architecture, seed: u64) -> Result<Self> {
        architecture.validate()?;
        let layout = Layout::new(architecture);
        let values = init::values(architecture, &layout, seed);
        Ok(Self {
            architecture: *architecture,
            layout,
            values,
            tokenizer: None,
        })
    }

    /// Reads a safetensors file with Hugging Face's names of a Llama. Anything but exactly the
    /// architecture's tensors, in finite binary32, is refused.
    pub fn from_safetensors(architecture: &Architecture, bytes: &[u8]) -> Result<Self> {
        file::read(architecture, bytes)
    }

    /// The canonical safetensors file; its BLAKE3 hash names the weights.
    pub fn to_safetensors(&self) -> Vec<u8> {
        file::write(self)
    }

    /// Reads another program's safetensors file of a Llama, e.g. a published checkpoint: in binary32,
    /// binary16 or bfloat16 (exact), with or without a head of its own, other tensors left out.
    pub fn import(architecture: &Architecture, bytes: &[u8]) -> Result<Self> {
        import::import(architecture, bytes)
    }

    /// The weights as candle's tensors by name.
    pub fn to_tensors(&self) -> Result<HashMap<String, Tensor>> {
        import::to_tensors(self)
    }

    /// As [`Weights::import`], from candle's tensors by name.
    pub fn from_tensors(architecture: &Architecture, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        import::from_tensors(architecture, tensors)
    }

    /// One tensor by its name: its shape and values.
    pub fn tensor(&self, name: &str) -> Option<(&[usize], &[f32])> {
        let slot = self.layout.slots.iter().find(|slot| slot.name == name)?;
        Some((&slot.shape, self.values.get(slot.range.clone())?))
    }
}

/// The bits of values, little endian: borrowed where memory holds them so.
pub(crate) fn le_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }
}

/// Appends the bits of values, little endian.
pub(crate) fn extend_le_bytes(bytes: &mut Vec<u8>, values: &[f32]) {
    bytes.extend_from_slice(&le_bytes(values));
}

/// Appends values from little-endian bytes; a rest of fewer than 4 bytes is left out.
pub(crate) fn extend_from_le_bytes(values: &mut Vec<f32>, bytes: &[u8]) {
    values.extend(
        bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
    );
}
