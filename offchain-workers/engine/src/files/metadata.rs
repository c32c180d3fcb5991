// SPDX-License-Identifier: Apache-2.0
//! The values of GGUF metadata, in little more memory than in the file.

use super::error::{FileError, Result};
use std::{collections::BTreeMap, sync::Arc};

/// Strings in one buffer; not all vocabularies are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Strings {
    /// Returns an empty array with room for `count` strings.
    pub(super) fn with_room(count: usize) -> Result<Self> {
        let mut ends = Vec::new();
        ends.try_reserve_exact(count)
            .map_err(|_| FileError::Memory(4 * count as u64))?;
        Ok(Self {
            bytes: Vec::new(),
            ends,
        })
    }

    /// Appends a string; `fill` appends its bytes.
    pub(super) fn push_with<E>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> core::result::Result<(), E>,
    ) -> core::result::Result<(), E> {
        fill(&mut self.bytes)?;
        // A header is far shorter than 4 GiB.
        self.ends.push(self.bytes.len() as u32);
        Ok(())
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the string with an index.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let to = *self.ends.get(index)? as usize;
        let from = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        Some(&self.bytes[from..to])
    }

    /// Returns all strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// The scalar types with their GGUF numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Scalar {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Scalar {
    /// Returns the type with a GGUF number.
    pub fn from_number(number: u32) -> Option<Self> {
        use Scalar::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, U64, I64, F64]
            .into_iter()
            .find(|scalar| *scalar as u32 == number)
    }

    /// Returns the number of bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Scalar::U8 | Scalar::I8 | Scalar::Bool => 1,
            Scalar::U16 | Scalar::I16 => 2,
            Scalar::U32 | Scalar::I32 | Scalar::F32 => 4,
            Scalar::U64 | Scalar::I64 | Scalar::F64 => 8,
        }
    }

    /// Decodes a value of [`Scalar::size`] little-endian bytes.
    fn value(self, bytes: &[u8]) -> Value {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(wide);
        let unused = 64 - 8 * self.size() as u32;
        let signed = (unsigned << unused) as i64 >> unused;
        match self {
            Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => Value::Unsigned(unsigned),
            Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 => Value::Signed(signed),
            Scalar::F32 => Value::Float(f64::from(f32::from_bits(unsigned as u32))),
            Scalar::F64 => Value::Float(f64::from_bits(unsigned)),
            Scalar::Bool => Value::Bool(unsigned != 0),
        }
    }
}

/// An array of numbers or booleans, encoded as in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub(super) scalar: Scalar,
    pub(super) bytes: Vec<u8>,
}

impl Numbers {
    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.scalar.size()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns all values in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        self.bytes
            .chunks_exact(self.scalar.size())
            .map(|bytes| self.scalar.value(bytes))
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A value of an unsigned type.
    Unsigned(u64),
    /// A value of a signed type.
    Signed(i64),
    /// A value of a floating-point type.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A string.
    Text(String),
    /// An array of numbers or booleans.
    Numbers(Numbers),
    /// An array of strings.
    Strings(Arc<Strings>),
}

impl Value {
    /// Decodes a value of a scalar type.
    ///
    /// Errors: a boolean other than 0 and 1.
    pub(super) fn scalar(key: &str, scalar: Scalar, bytes: &[u8]) -> Result<Self> {
        check_bools(key, scalar, bytes)?;
        Ok(scalar.value(bytes))
    }

    /// Returns the value if it is a non-negative integer.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Unsigned(value) => Some(*value),
            Value::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns the value, rounded to binary32, if it is of a floating-point type.
    pub fn as_f32(&self) -> Option<f32> {
        match self {
            Value::Float(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// Returns the value if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// Refuses booleans other than 0 and 1.
pub(super) fn check_bools(key: &str, scalar: Scalar, bytes: &[u8]) -> Result<()> {
    match bytes.iter().find(|byte| **byte > 1) {
        Some(value) if scalar == Scalar::Bool => Err(FileError::NotBool {
            key: key.into(),
            value: *value,
        }),
        _ => Ok(()),
    }
}

/// All values by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub(super) BTreeMap<String, Value>);

impl Metadata {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Returns all keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(value) => Ok(Some(value)),
                None => Err(FileError::KeyType {
                    key: key.into(),
                    expected,
                }),
            },
        }
    }

    /// Returns an unsigned integer, or `None` without the key.
    pub fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, "an unsigned integer", Value::as_u64)
    }

    /// Returns a binary32, or `None` without the key.
    pub fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a floating-point number", Value::as_f32)
    }

    /// Returns a boolean, or `None` without the key.
    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a boolean", Value::as_bool)
    }

    /// Returns a string, or `None` without the key.
    pub fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", Value::as_str)
    }

    /// Returns an array of numbers, or `None` without the key.
    pub fn numbers(&self, key: &str) -> Result<Option<&Numbers>> {
        self.typed(key, "an array of numbers", |value| match value {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        })
    }

    /// Returns an array of strings, or `None` without the key.
    pub fn strings(&self, key: &str) -> Result<Option<&Arc<Strings>>> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Strings(strings) => Some(strings),
            _ => None,
        })
    }
}
