// SPDX-License-Identifier: Apache-2.0
//! The tensors of a model, in one form for all file formats.
//!
//! Differences between formats are undone while reading:
//! - GGUF files of the Llama family store the rows of each query and key head interleaved (row `2 j + h` is row `j` of
//!   half `h`); they are read in halves.
//! - Hugging Face stores the norm weights of Gemma 3 minus 1; they are read as binary32 with 1 added.

use super::{
    error::{FileError, Result},
    folder::Folder,
    gguf::Gguf,
    metadata::Metadata,
    places::TensorInfo,
    safetensors,
    source::{FileSource, Source},
};
use crate::config::{BlockPart, Family, ModelConfig, Part};
use agorai_exact::element::ElementType;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// The conversion of a tensor while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    AddOne,
    /// The rows of heads of this width are interleaved.
    Interleaved(usize),
}

/// The place of a tensor.
struct Place {
    shard: usize,
    info: TensorInfo,
    rows: usize,
    change: Change,
}

impl Place {
    fn row_bytes(&self) -> usize {
        // The number of bytes is a multiple of the rows and fits the file.
        (self.info.bytes / self.rows as u64) as usize
    }
}

/// The source of a model's tokenizer and chat template.
pub enum TextSource {
    /// The metadata of a GGUF file.
    Gguf(Metadata),
    /// The files of a folder.
    Folder(Folder),
}

/// A model file or folder: its configuration and its tensors, which are read on demand.
pub struct ModelFile {
    config: ModelConfig,
    shards: Vec<Box<dyn Source>>,
    parts: BTreeMap<Part, Place>,
    text: TextSource,
}

impl core::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.debug_struct("ModelFile")
            .field("config", &self.config)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl ModelFile {
    /// Opens a GGUF file, or a folder with `config.json` and safetensors.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            Self::from_folder(Folder::open(path)?)
        } else {
            Self::from_gguf(Box::new(FileSource::open(path)?))
        }
    }

    /// Reads the header of a GGUF file.
    ///
    /// Errors: a malformed file, an unsupported model, missing, unknown or misshapen tensors.
    pub fn from_gguf(source: Box<dyn Source>) -> Result<Self> {
        let gguf = Gguf::read(&*source)?;
        let config = ModelConfig::from_gguf(&gguf)?;
        let tensors = gguf.tensors.into_iter().map(|info| (0, info)).collect();
        let change = |part: Part| match part {
            Part::Block(_, BlockPart::Query | BlockPart::Key) if config.family == Family::Llama => {
                Change::Interleaved(config.head_dim)
            }
            _ => Change::None,
        };
        let parts = find(&config, Part::gguf_name, change, tensors)?;
        Ok(Self {
            config,
            shards: vec![source],
            parts,
            text: TextSource::Gguf(gguf.metadata),
        })
    }

    /// Reads the configuration and the headers of a folder.
    ///
    /// Errors: as [`ModelFile::from_gguf`].
    pub fn from_folder(mut folder: Folder) -> Result<Self> {
        let config = ModelConfig::from_json(&folder.config)?;
        let shards = core::mem::take(&mut folder.shards);
        let mut tensors = Vec::new();
        for (shard, source) in shards.iter().enumerate() {
            let all = safetensors::read(&**source)?.into_iter();
            tensors.extend(all.map(|info| (shard, info)));
        }
        let gemma = config.family == Family::Gemma3;
        let change = |part: Part| match gemma && part.is_norm() {
            true => Change::AddOne,
            false => Change::None,
        };
        let name = |part: Part| part.folder_name(config.family);
        let parts = find(&config, name, change, tensors)?;
        Ok(Self {
            config,
            shards,
            parts,
            text: TextSource::Folder(folder),
        })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the number of bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.parts.values().map(|place| place.info.bytes).sum()
    }

    /// Returns all tensors of the model.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.parts.keys().copied()
    }

    /// Returns the source of the tokenizer and the chat template.
    pub fn text(&self) -> &TextSource {
        &self.text
    }

    fn place(&self, part: Part) -> Result<&Place> {
        self.parts
            .get(&part)
            .ok_or_else(|| FileError::MissingTensor { name: part.gguf_name() })
    }

    /// Returns the number of rows and of elements of a row; norms, biases and divisors have one row.
    pub fn shape(&self, part: Part) -> Result<(usize, usize)> {
        let (rows, row) = part.shape(&self.config);
        self.place(part).map(|_| (rows, row))
    }

    /// Returns the element type of the rows that [`ModelFile::read_rows`] reads.
    pub fn element(&self, part: Part) -> Result<ElementType> {
        let place = self.place(part)?;
        Ok(match place.change {
            Change::AddOne => ElementType::F32,
            _ => place.info.element,
        })
    }

    /// Replaces `out` by the bytes of `count` rows from row `first` on.
    ///
    /// Errors: rows beyond the tensor, plain values that are not finite.
    pub fn read_rows(&self, part: Part, first: usize, count: usize, out: &mut Vec<u8>) -> Result<()> {
        let place = self.place(part)?;
        let end = check_rows(place, first, count)?;
        match place.change {
            Change::None => self.read_stored(place, first, count, out),
            Change::Interleaved(head) => {
                let row = place.row_bytes();
                out.clear();
                out.reserve(count * row);
                let mut stored = Vec::new();
                for first_of_head in (first / head * head..end).step_by(head) {
                    self.read_stored(place, first_of_head, head, &mut stored)?;
                    let last = end.min(first_of_head + head);
                    for wanted in first.max(first_of_head)..last {
                        let wanted = wanted - first_of_head;
                        let from = 2 * (wanted % (head / 2)) + wanted / (head / 2);
                        out.extend_from_slice(&stored[from * row..(from + 1) * row]);
                    }
                }
                Ok(())
            }
            Change::AddOne => {
                let mut values = Vec::new();
                self.read_f32(part, first, count, &mut values)?;
                out.clear();
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                Ok(())
            }
        }
    }

    /// Replaces `out` by the values of `count` rows from row `first` on, converted exactly to binary32.
    ///
    /// Errors: rows beyond the tensor, a quantised tensor, values that are not finite.
    pub fn read_f32(&self, part: Part, first: usize, count: usize, out: &mut Vec<f32>) -> Result<()> {
        let place = self.place(part)?;
        check_rows(place, first, count)?;
        let mut bytes = Vec::new();
        match place.change {
            Change::Interleaved(_) => self.read_rows(part, first, count, &mut bytes)?,
            _ => self.read_stored(place, first, count, &mut bytes)?,
        }
        let element = place.info.element;
        if !element.decode_plain(&bytes, out) {
            return Err(FileError::NotPlain {
                name: place.info.name.clone(),
                element: element.name(),
            });
        }
        if place.change == Change::AddOne {
            out.iter_mut().for_each(|value| *value += 1.0);
        }
        if !out.iter().all(|value| value.is_finite()) {
            return Err(FileError::NotFinite {
                name: place.info.name.clone(),
            });
        }
        Ok(())
    }

    /// Reads rows as they are stored; the range must have been checked.
    fn read_stored(&self, place: &Place, first: usize, count: usize, out: &mut Vec<u8>) -> Result<()> {
        let row = place.row_bytes();
        let offset = place.info.offset + (first * row) as u64;
        // At most the size of the file.
        out.resize(count * row, 0);
        self.shards[place.shard].read_at(offset, out)?;
        if !place.info.element.is_finite(out) {
            return Err(FileError::NotFinite {
                name: place.info.name.clone(),
            });
        }
        Ok(())
    }
}

/// Returns the end of the requested rows, or an error if it exceeds the tensor.
fn check_rows(place: &Place, first: usize, count: usize) -> Result<usize> {
    let end = first.saturating_add(count);
    if end <= place.rows {
        return Ok(end);
    }
    Err(FileError::Rows {
        name: place.info.name.clone(),
        first,
        end,
        rows: place.rows,
    })
}

/// Finds the place of every tensor of a model.
///
/// Errors: missing, duplicate and unknown tensors, other shapes than the configuration's, quantised vectors.
fn find(
    config: &ModelConfig,
    name: impl Fn(Part) -> String,
    change: impl Fn(Part) -> Change,
    tensors: Vec<(usize, TensorInfo)>,
) -> Result<BTreeMap<Part, Place>> {
    let mut by_name = HashMap::with_capacity(tensors.len());
    for (shard, info) in tensors {
        let name = info.name.clone();
        if by_name.insert(name.clone(), (shard, info)).is_some() {
            return Err(FileError::DuplicateTensor { name });
        }
    }
    let mut parts = BTreeMap::new();
    for part in Part::all(config) {
        let name = name(part);
        let Some((shard, info)) = by_name.remove(&name) else {
            return Err(FileError::MissingTensor { name });
        };
        let (rows, row) = part.shape(config);
        let expected = match part.is_vector() {
            true => vec![row as u64],
            false => vec![rows as u64, row as u64],
        };
        let found = info.shape();
        if found != expected {
            return Err(FileError::WrongShape { name, found, expected });
        }
        if part.is_vector() && !info.element.is_plain() {
            return Err(FileError::NotPlain {
                name,
                element: info.element.name(),
            });
        }
        let place = Place {
            shard,
            info,
            rows,
            change: change(part),
        };
        parts.insert(part, place);
    }
    match by_name.into_keys().filter(|name| !is_ignored(config, name)).min() {
        Some(name) => Err(FileError::UnknownTensor { name }),
        None => Ok(parts),
    }
}

/// Returns whether a tensor that is not part of the model is ignored: rotary frequencies, which follow from the
/// configuration, and the copy of a tied head.
fn is_ignored(config: &ModelConfig, name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || (config.tied_head && name == "lm_head.weight")
}
