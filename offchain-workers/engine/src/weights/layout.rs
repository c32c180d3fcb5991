// SPDX-License-Identifier: Apache-2.0
//! The ranges of a model's tensors in its flat parameters.
//!
//! The order is that of the computation (embedding, blocks, final norm, head) and is part of every hash: states,
//! payloads and safetensors files all follow it.

use crate::{
    config::{ModelConfig, Part},
    error::{Error, Result},
};
use agorai_primitives::model::Architecture;
use std::ops::Range;

/// One tensor of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The tensor.
    pub part: Part,
    /// Its name in Hugging Face's Llama checkpoints, e.g. `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// `[outputs, inputs]` of a matrix, `[width]` of the weight of a norm.
    pub shape: Vec<usize>,
    /// Its range in the flat parameters.
    pub range: Range<usize>,
}

impl Slot {
    /// Returns whether the tensor is a matrix. AdamW decays matrices, not norms.
    pub fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }
}

/// The ranges of all tensors of a chain model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// All tensors in order.
    pub slots: Vec<Slot>,
}

impl Layout {
    /// Returns the layout of an architecture, which must be valid.
    pub fn new(architecture: &Architecture) -> Self {
        let config = ModelConfig::from(architecture);
        let mut end = 0;
        let slot = |part: Part| {
            let (rows, row) = part.shape(&config);
            let start = end;
            end += rows * row;
            Slot {
                part,
                name: part.folder_name(config.family),
                shape: match part.is_vector() {
                    true => vec![row],
                    false => vec![rows, row],
                },
                range: start..end,
            }
        };
        Self {
            slots: Part::all(&config).map(slot).collect(),
        }
    }

    /// Returns the range of a tensor.
    ///
    /// Errors: the model has no such tensor.
    pub fn range(&self, part: Part) -> Result<Range<usize>> {
        let slot = self.slots.iter().find(|slot| slot.part == part);
        let slot = slot.ok_or_else(|| Error::Weights(format!("{part:?} is missing")))?;
        Ok(slot.range.clone())
    }

    /// Returns the number of parameters.
    pub fn len(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.range.end)
    }

    /// Returns whether there are no parameters, which is true of no architecture.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_covers_every_parameter_once() {
        let layout = Layout::new(&Architecture::SMALL);
        let mut end = 0;
        for slot in &layout.slots {
            assert_eq!(slot.range.start, end, "{}", slot.name);
            end = slot.range.end;
        }
        assert_eq!(end as u64, Architecture::SMALL.parameters());
        assert_eq!(layout.len(), end);
    }
}
