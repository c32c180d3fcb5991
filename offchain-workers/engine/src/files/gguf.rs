// SPDX-License-Identifier: Apache-2.0
//! GGUF files of versions 2 and 3, little endian.
//!
//! A file consists of a header, values by key, places of tensors, and the tensors' data from the next multiple of the
//! alignment on (key `general.alignment`, default 32).
//! Format: `docs/gguf.md` of the ggml project.

use super::{
    element,
    error::{FileError, Result},
    metadata::{check_bools, Metadata, Numbers, Scalar, Strings, Value},
    places::{self, TensorInfo, MAX_NAME, MAX_TENSORS},
    source::Source,
};
use std::{
    collections::{btree_map::Entry, BTreeMap},
    sync::Arc,
};

/// Maximum number of bytes before the tensors' data.
pub const MAX_HEADER: u64 = 128 << 20;
/// Maximum number of keys.
pub const MAX_KEYS: u64 = 4096;
/// Maximum number of bytes of a string value; chat templates are the longest.
pub const MAX_TEXT: u64 = 1 << 20;
/// Maximum number of bytes of a string in an array.
pub const MAX_ITEM: u64 = 1 << 16;
/// Maximum alignment.
pub const MAX_ALIGNMENT: u64 = 1 << 20;

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const DEFAULT_ALIGNMENT: u64 = 32;
/// Minimum number of bytes of a key with its value.
const MIN_VALUE: u64 = 8 + 4 + 1;
/// Minimum number of bytes of a tensor's place.
const MIN_TENSOR: u64 = 8 + 4 + 8 + 4 + 8;
/// Maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// A GGUF file up to its tensors' data.
#[derive(Clone, Debug, PartialEq)]
pub struct Gguf {
    /// Values by key.
    pub metadata: Metadata,
    /// Places of tensors, in the file's order.
    pub tensors: Vec<TensorInfo>,
}

impl Gguf {
    /// Reads everything before the tensors' data.
    ///
    /// Errors: a malformed header, data that overlap or are not in the file.
    pub fn read(source: &dyn Source) -> Result<Self> {
        let mut reader = Reader::new(source);
        if reader.u32("the magic number")? != MAGIC {
            return Err(FileError::NotGguf);
        }
        let version = reader.u32("the version")?;
        if !matches!(version, 2 | 3) {
            return Err(FileError::Version(version));
        }
        let tensors = reader.count("tensors", MAX_TENSORS)?;
        let keys = reader.count("keys", MAX_KEYS)?;
        reader.check_room("the values", keys, MIN_VALUE)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..keys {
            let key = reader.text("a key", MAX_NAME)?;
            match metadata.entry(key) {
                Entry::Occupied(entry) => {
                    return Err(FileError::DuplicateKey {
                        key: entry.key().clone(),
                    })
                }
                Entry::Vacant(entry) => {
                    let value = reader.value(entry.key())?;
                    entry.insert(value);
                }
            }
        }
        let metadata = Metadata(metadata);
        reader.check_room("the tensors", tensors, MIN_TENSOR)?;
        let tensors = (0..tensors).map(|_| reader.tensor()).collect::<Result<Vec<_>>>()?;
        let gguf = Self { metadata, tensors };
        gguf.placed(reader.at, source.size())
    }

    /// Converts the tensors' offsets to offsets in the file.
    ///
    /// Errors: data that overlap, are not aligned or are not in the file.
    fn placed(mut self, header: u64, size: u64) -> Result<Self> {
        let alignment = match self.metadata.u64("general.alignment")? {
            None => DEFAULT_ALIGNMENT,
            Some(alignment) if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT => alignment,
            Some(alignment) => return Err(FileError::Alignment(alignment)),
        };
        let data = header.next_multiple_of(alignment);
        for tensor in &mut self.tensors {
            if !tensor.offset.is_multiple_of(alignment) {
                return Err(FileError::Misaligned {
                    name: tensor.name.clone(),
                    offset: tensor.offset,
                    alignment,
                });
            }
            tensor.offset = data.saturating_add(tensor.offset);
        }
        places::check(&self.tensors, size)?;
        Ok(self)
    }
}

/// Reads the header sequentially.
struct Reader<'a> {
    source: &'a dyn Source,
    /// Prefetched bytes.
    prefetched: Vec<u8>,
    /// Number of bytes of `prefetched` that were read.
    used: usize,
    /// Offset in the source.
    at: u64,
    /// End of the header, an upper bound.
    end: u64,
}

/// Number of bytes that are prefetched.
const PREFETCH: u64 = 1 << 16;

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            prefetched: Vec::new(),
            used: 0,
            at: 0,
            end: source.size().min(MAX_HEADER),
        }
    }

    /// Refuses `count` items of `size` bytes if fewer bytes remain.
    fn check_room(&self, what: &'static str, count: u64, size: u64) -> Result<()> {
        let needed = count.saturating_mul(size);
        let left = self.end - self.at;
        if needed > left {
            return Err(FileError::Truncated {
                what,
                at: self.at,
                needed,
                left,
            });
        }
        Ok(())
    }

    /// Appends `count` bytes to `out`.
    fn take(&mut self, what: &'static str, count: u64, out: &mut Vec<u8>) -> Result<()> {
        self.check_room(what, count, 1)?;
        // Bounded by MAX_HEADER.
        let mut left = count as usize;
        while left > 0 {
            if self.used == self.prefetched.len() {
                let size = (self.end - self.at).min(PREFETCH) as usize;
                self.prefetched.resize(size, 0);
                self.source.read_at(self.at, &mut self.prefetched)?;
                self.used = 0;
            }
            let part = &self.prefetched[self.used..];
            let part = &part[..left.min(part.len())];
            out.extend_from_slice(part);
            self.used += part.len();
            self.at += part.len() as u64;
            left -= part.len();
        }
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let mut bytes = Vec::with_capacity(N);
        self.take(what, N as u64, &mut bytes)?;
        let mut fixed = [0; N];
        fixed.copy_from_slice(&bytes);
        Ok(fixed)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.fixed(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.fixed(what)?))
    }

    /// Reads a count of at most `max`.
    fn count(&mut self, what: &'static str, max: u64) -> Result<u64> {
        let count = self.u64(what)?;
        if count > max {
            return Err(FileError::TooMany { what, count, max });
        }
        Ok(count)
    }

    /// Reads a string of at most `max` bytes: its length and its bytes.
    fn text(&mut self, what: &'static str, max: u64) -> Result<String> {
        let length = self.count(what, max)?;
        let mut bytes = Vec::new();
        self.take(what, length, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| FileError::NotText { what, at: self.at })
    }

    fn value(&mut self, key: &str) -> Result<Value> {
        match self.u32("a value's type")? {
            STRING => Ok(Value::Text(self.text("a string", MAX_TEXT)?)),
            ARRAY => self.array(key),
            number => {
                let scalar = scalar(key, number)?;
                let mut bytes = Vec::with_capacity(8);
                self.take("a value", scalar.size() as u64, &mut bytes)?;
                Value::scalar(key, scalar, &bytes)
            }
        }
    }

    fn array(&mut self, key: &str) -> Result<Value> {
        match self.u32("an array's type")? {
            ARRAY => Err(FileError::NestedArray { key: key.into() }),
            STRING => {
                let count = self.count("strings", MAX_HEADER)?;
                // Each string has a length of 8 bytes.
                self.check_room("an array of strings", count, 8)?;
                let mut strings = Strings::with_room(count as usize)?;
                for _ in 0..count {
                    let length = self.count("a string in an array", MAX_ITEM)?;
                    strings.push_with(|bytes| self.take("a string in an array", length, bytes))?;
                }
                Ok(Value::Strings(Arc::new(strings)))
            }
            number => {
                let scalar = scalar(key, number)?;
                let count = self.count("numbers", MAX_HEADER)?;
                let length = count * scalar.size() as u64;
                self.check_room("an array", length, 1)?;
                let mut bytes = Vec::new();
                bytes
                    .try_reserve_exact(length as usize)
                    .map_err(|_| FileError::Memory(length))?;
                self.take("an array", length, &mut bytes)?;
                check_bools(key, scalar, &bytes)?;
                Ok(Value::Numbers(Numbers { scalar, bytes }))
            }
        }
    }

    /// Reads a tensor's place; its offset is relative to the data.
    fn tensor(&mut self) -> Result<TensorInfo> {
        let name = self.text("a tensor's name", MAX_NAME)?;
        let dimensions = self.u32("a tensor's dimensions")?;
        if dimensions > MAX_DIMENSIONS {
            return Err(FileError::TooMany {
                what: "dimensions of a tensor",
                count: dimensions.into(),
                max: MAX_DIMENSIONS.into(),
            });
        }
        let dims = (0..dimensions)
            .map(|_| self.u64("a tensor's shape"))
            .collect::<Result<Vec<_>>>()?;
        let number = self.u32("a tensor's type")?;
        let offset = self.u64("a tensor's offset")?;
        let Some(element) = element::from_gguf_number(number) else {
            return Err(FileError::ElementType {
                name,
                element: number.to_string(),
            });
        };
        TensorInfo::new(name, dims, element, offset)
    }
}

fn scalar(key: &str, number: u32) -> Result<Scalar> {
    Scalar::from_number(number).ok_or_else(|| FileError::ValueType {
        key: key.into(),
        number,
    })
}
