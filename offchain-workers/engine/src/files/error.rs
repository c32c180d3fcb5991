// SPDX-License-Identifier: Apache-2.0
//! Why a model file is refused.

use crate::config::OutOfBounds;
use std::io;

/// The result of reading a model file.
pub type Result<T> = core::result::Result<T, FileError>;

/// Why a model file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading the file failed.
    #[error("reading: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are not those of a GGUF file.
    #[error("not a GGUF file")]
    NotGguf,
    /// The GGUF version is neither 2 nor 3, or the file is big endian.
    #[error("GGUF version {0} is not supported, only 2 and 3, little endian")]
    Version(u32),
    /// The file ends within the header.
    #[error("{what} at byte {at} needs {needed} bytes, {left} remain")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// Offset in the file.
        at: u64,
        /// Number of bytes needed.
        needed: u64,
        /// Number of bytes that remain in the file or in the largest header.
        left: u64,
    },
    /// A count exceeds its maximum.
    #[error("{what}: {count} exceeds {max}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The count.
        count: u64,
        /// The maximum.
        max: u64,
    },
    /// A string is not UTF-8.
    #[error("{what} at byte {at} is not UTF-8")]
    NotText {
        /// The string.
        what: &'static str,
        /// Offset of its end in the file.
        at: u64,
    },
    /// The number of a value type is unknown.
    #[error("{key}: value type {number} does not exist")]
    ValueType {
        /// The key.
        key: String,
        /// The number.
        number: u32,
    },
    /// A boolean is neither 0 nor 1.
    #[error("{key}: a boolean is {value}")]
    NotBool {
        /// The key.
        key: String,
        /// The byte.
        value: u8,
    },
    /// A value is an array of arrays.
    #[error("{key}: nested arrays are not supported")]
    NestedArray {
        /// The key.
        key: String,
    },
    /// Two values have the same key.
    #[error("{key} is duplicated")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Two tensors have the same name.
    #[error("tensor {name} is duplicated")]
    DuplicateTensor {
        /// The name.
        name: String,
    },
    /// The element type of a tensor is not supported.
    #[error("tensor {name}: element type {element} is not supported")]
    ElementType {
        /// The name.
        name: String,
        /// The type, a name or number.
        element: String,
    },
    /// The shape of a tensor is empty or too large.
    #[error("tensor {name}: shape {shape:?} is invalid")]
    Shape {
        /// The name.
        name: String,
        /// The shape.
        shape: Vec<u64>,
    },
    /// The rows of a tensor are not whole blocks.
    #[error("tensor {name}: rows of {row} elements are not a multiple of {block}")]
    Blocks {
        /// The name.
        name: String,
        /// Elements of a row.
        row: u64,
        /// Elements of a block.
        block: u64,
    },
    /// The alignment is not a power of two, or too large.
    #[error("alignment {0} is invalid")]
    Alignment(u64),
    /// The offset of a tensor is not aligned.
    #[error("tensor {name}: offset {offset} is not aligned to {alignment}")]
    Misaligned {
        /// The name.
        name: String,
        /// Its offset in the data.
        offset: u64,
        /// The alignment.
        alignment: u64,
    },
    /// The data of a tensor exceed the file.
    #[error("tensor {name}: bytes {from} to {to} exceed the file size {size}")]
    OutOfFile {
        /// The name.
        name: String,
        /// First byte.
        from: u64,
        /// Byte after the last.
        to: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// The data of two tensors overlap.
    #[error("tensors {first} and {second} overlap")]
    Overlap {
        /// The one of lower offset.
        first: String,
        /// The other.
        second: String,
    },
    /// The length of a tensor's data does not match its shape and type.
    #[error("tensor {name}: {found} bytes instead of {expected}")]
    Length {
        /// The name.
        name: String,
        /// Number of bytes in the header.
        found: u64,
        /// Number of bytes of its shape and type.
        expected: u64,
    },
    /// A file is not JSON, or not of the expected structure.
    #[error("{what}: {reason}")]
    Json {
        /// The file.
        what: &'static str,
        /// The parser's reason.
        reason: String,
    },
    /// A value is missing.
    #[error("{key} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A value has another type than expected.
    #[error("{key} is not {expected}")]
    KeyType {
        /// The key.
        key: String,
        /// The expected type.
        expected: &'static str,
    },
    /// A value is out of bounds.
    #[error("{key} is {value}, not {expected}")]
    Bounds {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The bounds.
        expected: String,
    },
    /// The engine does not support the model.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// A tensor of the model is missing.
    #[error("tensor {name} is missing")]
    MissingTensor {
        /// The name.
        name: String,
    },
    /// A tensor is not part of the model.
    #[error("tensor {name} is not part of this model")]
    UnknownTensor {
        /// The name.
        name: String,
    },
    /// The shape of a tensor does not match the configuration.
    #[error("tensor {name} has shape {found:?} instead of {expected:?}")]
    WrongShape {
        /// The name.
        name: String,
        /// The shape in the file, rows first.
        found: Vec<u64>,
        /// The shape that follows from the configuration.
        expected: Vec<u64>,
    },
    /// The requested rows exceed the tensor.
    #[error("rows {first} to {end} exceed the {rows} rows of tensor {name}")]
    Rows {
        /// The name.
        name: String,
        /// First requested row.
        first: usize,
        /// End of the requested rows.
        end: usize,
        /// Number of rows of the tensor.
        rows: usize,
    },
    /// A value is infinite or a NaN.
    #[error("tensor {name} contains values that are not finite")]
    NotFinite {
        /// The name.
        name: String,
    },
    /// Plain values were requested of a quantised tensor.
    #[error("tensor {name} is quantised as {element}")]
    NotPlain {
        /// The name.
        name: String,
        /// Its element type.
        element: &'static str,
    },
    /// A file name points outside the model's folder.
    #[error("{0:?} is not a file of the model's folder")]
    Path(String),
    /// Allocating memory failed.
    #[error("allocating {0} bytes failed")]
    Memory(u64),
}

impl From<OutOfBounds> for FileError {
    fn from(OutOfBounds { key, value, expected }: OutOfBounds) -> Self {
        FileError::Bounds { key, value, expected }
    }
}

/// Refuses a model that the engine does not support.
pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T> {
    Err(FileError::Unsupported(reason.into()))
}
