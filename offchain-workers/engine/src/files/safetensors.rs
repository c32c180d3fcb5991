// SPDX-License-Identifier: Apache-2.0
//! Headers of safetensors files: 8 bytes with the header's length, the header in JSON, the data.

use super::{
    element,
    error::{FileError, Result},
    places::{self, TensorInfo, MAX_NAME, MAX_TENSORS},
    source::Source,
};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// Maximum number of bytes of a header.
pub const MAX_HEADER: u64 = 16 << 20;

/// Key of the metadata among the tensors.
const METADATA: &str = "__metadata__";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The metadata of a header; all other keys are skipped.
#[derive(Default, serde::Deserialize)]
pub struct Metadata {
    /// The id of the tokenizer's blob.
    pub tokenizer: Option<String>,
}

/// A header: its tensors in order, duplicates included, and its metadata.
struct Entries {
    tensors: Vec<(String, Entry)>,
    metadata: Metadata,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = Entries;

            fn expecting(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> core::result::Result<Entries, M::Error> {
                let mut entries = Entries {
                    tensors: Vec::new(),
                    metadata: Metadata::default(),
                };
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        entries.metadata = map.next_value()?;
                        continue;
                    }
                    if entries.tensors.len() as u64 == MAX_TENSORS || name.len() as u64 > MAX_NAME {
                        return Err(M::Error::custom("too many tensors or too long a name"));
                    }
                    entries.tensors.push((name, map.next_value()?));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

/// A header.
pub struct Header {
    /// The places of the tensors.
    pub tensors: Vec<TensorInfo>,
    /// The metadata.
    pub metadata: Metadata,
    /// Offset of the data in the file.
    pub data: u64,
}

/// Reads the places of all tensors of a file.
///
/// Errors: a malformed or too long header, unsupported element types, tensors that overlap or lie outside the file.
pub fn read(source: &dyn Source) -> Result<Vec<TensorInfo>> {
    Ok(read_named(source, |_| true)?.tensors)
}

/// Reads the header of a file; tensors whose name is not `wanted` are neither checked nor returned.
///
/// Errors: as [`read`].
pub fn read_named(source: &dyn Source, wanted: impl Fn(&str) -> bool) -> Result<Header> {
    let size = source.size();
    let left = size.min(MAX_HEADER);
    let mut length = [0; 8];
    check_room(8, left)?;
    source.read_at(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    check_room(length, left - 8)?;
    // Bounded by MAX_HEADER.
    let mut header = vec![0; length as usize];
    source.read_at(8, &mut header)?;
    let entries: Entries = serde_json::from_slice(&header).map_err(|error| FileError::Json {
        what: "a safetensors header",
        reason: error.to_string(),
    })?;
    let data = 8 + length;
    let tensors = entries
        .tensors
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, entry)| tensor(name, entry, data))
        .collect::<Result<Vec<_>>>()?;
    places::check(&tensors, size)?;
    Ok(Header {
        tensors,
        metadata: entries.metadata,
        data,
    })
}

fn check_room(needed: u64, left: u64) -> Result<()> {
    if needed <= left {
        return Ok(());
    }
    Err(FileError::Truncated {
        what: "a safetensors header",
        at: 0,
        needed,
        left,
    })
}

fn tensor(name: String, entry: Entry, data: u64) -> Result<TensorInfo> {
    let Some(element) = element::from_safetensors_name(&entry.dtype) else {
        return Err(FileError::ElementType {
            name,
            element: entry.dtype,
        });
    };
    let [from, to] = entry.data_offsets;
    let dims = entry.shape.into_iter().rev().collect();
    let info = TensorInfo::new(name, dims, element, data.saturating_add(from))?;
    let found = to.saturating_sub(from);
    if found != info.bytes {
        return Err(FileError::Length {
            name: info.name,
            found,
            expected: info.bytes,
        });
    }
    Ok(info)
}
