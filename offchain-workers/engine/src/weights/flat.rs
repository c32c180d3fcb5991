// SPDX-License-Identifier: Apache-2.0
//! The parameters of a chain model in one flat buffer.

use super::layout::Layout;
use agorai_primitives::{model::Architecture, BlobId};

/// The parameters of a chain model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The architecture.
    pub architecture: Architecture,
    /// The range of each tensor in `values`.
    pub layout: Layout,
    /// All parameters, in the layout's order.
    pub values: Vec<f32>,
    /// The blob of the tokenizer (a `tokenizer.json`); `None` = tokens are bytes.
    pub tokenizer: Option<BlobId>,
}

impl Weights {
    /// Returns the shape and the values of the tensor with a name.
    pub fn tensor(&self, name: &str) -> Option<(&[usize], &[f32])> {
        let slot = self.layout.slots.iter().find(|slot| slot.name == name)?;
        Some((&slot.shape, self.values.get(slot.range.clone())?))
    }
}
