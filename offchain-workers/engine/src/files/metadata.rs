// SPDX-License-Identifier: Apache-2.0
//! Values of a GGUF file's metadata, in little more memory than they take in the file.

use super::error::{FileError, Result};
use std::{collections::BTreeMap, sync::Arc};

/// Strings in one run of bytes; not all vocabularies are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Strings {
    /// No strings yet, with room for `count` of them.
    pub(super) fn with_room(count: usize) -> Result<Self> {
        let mut ends = Vec::new();
        ends.try_reserve_exact(count)
            .map_err(|_| FileError::Memory(4 * count as u64))?;
        Ok(Self {
            bytes: Vec::new(),
            ends,
        })
    }

    /// Lets `fill` append one string's bytes.
    pub(super) fn push_with<E>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> core::result::Result<(), E>,
    ) -> core::result::Result<(), E> {
        fill(&mut self.bytes)?;
        // A header is far shorter than 4 GiB.
        self.ends.push(self.bytes.len() as u32);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One string, or `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let to = *self.ends.get(index)? as usize;
        let from = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        Some(&self.bytes[from..to])
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Strings {
    fn from_iter<I: IntoIterator<Item = T>>(strings: I) -> Self {
        let mut all = Self::default();
        for string in strings {
            all.bytes.extend_from_slice(string.as_ref());
            all.ends.push(all.bytes.len() as u32);
        }
        all
    }
}

/// Types of single values, with GGUF's numbers.
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
    /// The type with GGUF's number.
    pub fn from_number(number: u32) -> Option<Self> {
        use Scalar::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, U64, I64, F64]
            .into_iter()
            .find(|scalar| *scalar as u32 == number)
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Scalar::U8 | Scalar::I8 | Scalar::Bool => 1,
            Scalar::U16 | Scalar::I16 => 2,
            Scalar::U32 | Scalar::I32 | Scalar::F32 => 4,
            Scalar::U64 | Scalar::I64 | Scalar::F64 => 8,
        }
    }

    /// The value in [`Scalar::size`] little endian bytes.
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

/// An array of numbers or booleans, as bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub(super) scalar: Scalar,
    pub(super) bytes: Vec<u8>,
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.scalar.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All values in order.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        self.bytes
            .chunks_exact(self.scalar.size())
            .map(|bytes| self.scalar.value(bytes))
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of an unsigned type.
    Unsigned(u64),
    /// Of a signed type.
    Signed(i64),
    /// Of a floating-point type.
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
    /// The value of a scalar type in its little endian bytes; booleans must be 0 or 1.
    pub(super) fn scalar(key: &str, scalar: Scalar, bytes: &[u8]) -> Result<Self> {
        check_bools(key, scalar, bytes)?;
        Ok(scalar.value(bytes))
    }

    /// As an unsigned number, where it is one of an integer type.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Unsigned(value) => Some(*value),
            Value::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// As a binary32, where it is one of a floating-point type.
    pub fn as_f32(&self) -> Option<f32> {
        match self {
            Value::Float(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// As a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// As a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// Refuses booleans that are neither 0 nor 1.
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
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// All keys in order.
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

    /// An unsigned number, where the key is there.
    pub fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, "an unsigned integer", Value::as_u64)
    }

    /// A binary32, where the key is there.
    pub fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a floating-point number", Value::as_f32)
    }

    /// A boolean, where the key is there.
    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a boolean", Value::as_bool)
    }

    /// A string, where the key is there.
    pub fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", Value::as_str)
    }

    /// Numbers, where the key is there.
    pub fn numbers(&self, key: &str) -> Result<Option<&Numbers>> {
        self.typed(key, "an array of numbers", |value| match value {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        })
    }

    /// Strings, where the key is there.
    pub fn strings(&self, key: &str) -> Result<Option<&Arc<Strings>>> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Strings(strings) => Some(strings),
            _ => None,
        })
    }
}
