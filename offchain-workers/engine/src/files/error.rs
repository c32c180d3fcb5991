// SPDX-License-Identifier: Apache-2.0
//! Why a model's file is refused: one variant for each fact.

use crate::config::OutOfBounds;
use std::io;

/// The result of reading a model's file.
pub type Result<T> = core::result::Result<T, FileError>;

/// Why a model's file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("reading: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are not those of a GGUF file.
    #[error("not a GGUF file")]
    NotGguf,
    /// A GGUF version other than 2 and 3, or big endian.
    #[error("GGUF version {0} is not read, only 2 and 3, little endian")]
    Version(u32),
    /// The header goes on where the file ends.
    #[error("{what} at byte {at} needs {needed} bytes, {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: u64,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are left in the file or in the largest header.
        left: u64,
    },
    /// More of something than the bound.
    #[error("{what}: {count} are more than {most}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many.
        count: u64,
        /// The bound.
        most: u64,
    },
    /// A string is not UTF-8.
    #[error("{what} at byte {at} is not UTF-8")]
    NotText {
        /// What the string is.
        what: &'static str,
        /// Where it ends.
        at: u64,
    },
    /// A number of a value's type that means no type.
    #[error("{key}: value type {number} does not exist")]
    ValueType {
        /// The key.
        key: String,
        /// The number.
        number: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("{key}: a boolean is {value}")]
    NotBool {
        /// The key.
        key: String,
        /// The byte.
        value: u8,
    },
    /// An array of arrays.
    #[error("{key}: arrays of arrays are not read")]
    NestedArray {
        /// The key.
        key: String,
    },
    /// Two values with one key.
    #[error("{key} is there twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Two tensors with one name.
    #[error("tensor {name} is there twice")]
    DuplicateTensor {
        /// The name.
        name: String,
    },
    /// A tensor's elements are of a type that is not computed with.
    #[error("tensor {name}: element type {element} is not supported")]
    ElementType {
        /// The name.
        name: String,
        /// The type, by name or number.
        element: String,
    },
    /// A shape that no tensor can have.
    #[error("tensor {name}: shape {shape:?} is impossible")]
    Shape {
        /// The name.
        name: String,
        /// The shape.
        shape: Vec<u64>,
    },
    /// A row is not a whole number of blocks.
    #[error("tensor {name}: rows of {row} elements are not blocks of {block}")]
    Blocks {
        /// The name.
        name: String,
        /// Elements of a row.
        row: u64,
        /// Elements of a block.
        block: u64,
    },
    /// An alignment that is no power of two, or too large.
    #[error("alignment {0} is impossible")]
    Alignment(u64),
    /// A tensor does not begin where the alignment says.
    #[error("tensor {name}: offset {offset} is not aligned to {alignment}")]
    Misaligned {
        /// The name.
        name: String,
        /// Its offset among the data.
        offset: u64,
        /// The alignment.
        alignment: u64,
    },
    /// A tensor's bytes are not in the file.
    #[error("tensor {name}: bytes {from} to {to} are beyond the file's {size}")]
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
    /// Two tensors share bytes.
    #[error("tensors {first} and {second} overlap")]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other.
        second: String,
    },
    /// The data of a tensor are not as long as its shape and type say.
    #[error("tensor {name}: {found} bytes instead of {expected}")]
    Length {
        /// The name.
        name: String,
        /// Bytes that the header gives.
        found: u64,
        /// Bytes of its shape and type.
        expected: u64,
    },
    /// JSON that is not JSON or not of the right form.
    #[error("{what}: {reason}")]
    Json {
        /// Which file.
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
    /// A value is of another type than it must be.
    #[error("{key} is not {expected}")]
    KeyType {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value is outside its bounds.
    #[error("{key} is {value}, not {expected}")]
    Bounds {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A model that the engine does not compute.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// A tensor that the model needs is not there.
    #[error("tensor {name} is missing")]
    MissingTensor {
        /// The name.
        name: String,
    },
    /// A tensor that the model does not have.
    #[error("tensor {name} is not one of this model")]
    UnknownTensor {
        /// The name.
        name: String,
    },
    /// A tensor's shape is not what the configuration says.
    #[error("tensor {name} has shape {found:?} instead of {expected:?}")]
    WrongShape {
        /// The name.
        name: String,
        /// The shape in the file, rows first.
        found: Vec<u64>,
        /// The shape of the configuration.
        expected: Vec<u64>,
    },
    /// Rows that the tensor does not have.
    #[error("rows {first} to {end} of tensor {name} with {rows}")]
    Rows {
        /// The name.
        name: String,
        /// First row asked for.
        first: usize,
        /// Row after the last.
        end: usize,
        /// Rows that there are.
        rows: usize,
    },
    /// A NaN or an infinity.
    #[error("tensor {name} holds values that are not finite")]
    NotFinite {
        /// The name.
        name: String,
    },
    /// Values asked for as binary32 of a tensor in blocks.
    #[error("tensor {name} is in blocks of {element}")]
    NotPlain {
        /// The name.
        name: String,
        /// Its element type.
        element: &'static str,
    },
    /// A name of a file that leads out of the model's folder.
    #[error("{0:?} is not a file of the model's folder")]
    Path(String),
    /// The memory cannot be had.
    #[error("{0} bytes of memory cannot be had")]
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
