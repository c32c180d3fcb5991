// SPDX-License-Identifier: Apache-2.0
//! The places of tensors in a file.

use super::error::{FileError, Result};
use agorai_exact::element::ElementType;
use std::collections::HashSet;

/// Maximum number of tensors of a file.
pub const MAX_TENSORS: u64 = 1 << 16;
/// Maximum number of bytes of a tensor's name.
pub const MAX_NAME: u64 = 256;

/// The place of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The name.
    pub name: String,
    /// Size of each dimension, the innermost (elements of a row) first.
    pub dims: Vec<u64>,
    /// The element type.
    pub element: ElementType,
    /// Offset in the file.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Returns a place whose number of bytes follows from its shape.
    ///
    /// Errors: an empty or too large shape, rows that are not whole blocks.
    pub(super) fn new(name: String, dims: Vec<u64>, element: ElementType, offset: u64) -> Result<Self> {
        let block = element.block_len() as u64;
        let Some(row) = dims.first().copied() else {
            return Err(FileError::Shape { name, shape: dims });
        };
        if !row.is_multiple_of(block) {
            return Err(FileError::Blocks { name, row, block });
        }
        let elements = dims.iter().try_fold(1u64, |all, dim| all.checked_mul(*dim));
        let bytes = elements.and_then(|elements| element.bytes(elements));
        match bytes.filter(|bytes| *bytes > 0) {
            None => Err(FileError::Shape { name, shape: dims }),
            Some(bytes) => Ok(Self {
                name,
                dims,
                element,
                offset,
                bytes,
            }),
        }
    }

    /// Returns the shape with the innermost dimension last.
    pub fn shape(&self) -> Vec<u64> {
        self.dims.iter().rev().copied().collect()
    }

    /// Returns whether [`TensorInfo::shape`] is `shape`.
    pub fn has_shape(&self, shape: &[usize]) -> bool {
        self.dims.iter().rev().copied().eq(shape.iter().map(|dim| *dim as u64))
    }

    /// Returns the tensor's bytes of a whole file.
    pub fn data<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        let from = usize::try_from(self.offset).ok()?;
        file.get(from..)?.get(..usize::try_from(self.bytes).ok()?)
    }
}

/// Refuses tensors of the same name, data beyond the file's `size`, and data that overlap.
pub(super) fn check(tensors: &[TensorInfo], size: u64) -> Result<()> {
    let mut names = HashSet::new();
    for tensor in tensors {
        let name = &tensor.name;
        if !names.insert(name) {
            return Err(FileError::DuplicateTensor { name: name.clone() });
        }
        let to = tensor.offset.saturating_add(tensor.bytes);
        if to > size {
            return Err(FileError::OutOfFile {
                name: name.clone(),
                from: tensor.offset,
                to,
                size,
            });
        }
    }
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|tensor| tensor.offset);
    for pair in order.windows(2) {
        if pair[0].offset + pair[0].bytes > pair[1].offset {
            return Err(FileError::Overlap {
                first: pair[0].name.clone(),
                second: pair[1].name.clone(),
            });
        }
    }
    Ok(())
}
