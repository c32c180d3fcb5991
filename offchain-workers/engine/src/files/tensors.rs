// SPDX-License-Identifier: Apache-2.0
//! The parts of a model under one set of names, wherever they come from.
//!
//! What differs between files is undone at reading, so that a decoder knows one form only:
//! - GGUF files of the family Llama store each head's rows of queries and keys interleaved (row `2 j + h`
//!   holds row `j` of half `h`); they are read in halves.
//! - Hugging Face's norms of Gemma 3 are stored less 1; they are read as binary32 with 1 added.

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

/// What is done to a part at reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    AddOne,
    /// Rows of heads of this width are interleaved.
    Interleaved(usize),
}

/// Where a part stands.
struct Place {
    shard: usize,
    info: TensorInfo,
    rows: usize,
    change: Change,
}

impl Place {
    fn row_bytes(&self) -> usize {
        // The bytes are in the file and a whole number of rows.
        (self.info.bytes / self.rows as u64) as usize
    }
}

/// Where a model's tokenizer and chat template are.
pub enum TextSource {
    /// In the metadata of a GGUF file.
    Gguf(Metadata),
    /// In the files of a folder.
    Folder(Folder),
}

/// A model's file or folder: its configuration, and its parts where they lie.
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

    /// Reads the header of a GGUF file and finds its parts.
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

    /// Reads the headers of a folder's files and finds the parts.
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

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Bytes of all parts together.
    pub fn bytes(&self) -> u64 {
        self.parts.values().map(|place| place.info.bytes).sum()
    }

    /// All parts that the model has.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.parts.keys().copied()
    }

    /// Where the tokenizer and the chat template are.
    pub fn text(&self) -> &TextSource {
        &self.text
    }

    fn place(&self, part: Part) -> Result<&Place> {
        self.parts
            .get(&part)
            .ok_or_else(|| FileError::MissingTensor { name: part.gguf_name() })
    }

    /// Rows and elements of a row; norms, biases and divisors are one row.
    pub fn shape(&self, part: Part) -> Result<(usize, usize)> {
        let (rows, row) = part.shape(&self.config);
        self.place(part).map(|_| (rows, row))
    }

    /// How the elements are stored that [`ModelFile::read_rows`] gives.
    pub fn element(&self, part: Part) -> Result<ElementType> {
        let place = self.place(part)?;
        Ok(match place.change {
            Change::AddOne => ElementType::F32,
            _ => place.info.element,
        })
    }

    /// Bytes of a row that [`ModelFile::read_rows`] gives.
    pub fn row_bytes(&self, part: Part) -> Result<usize> {
        let place = self.place(part)?;
        Ok(match place.change {
            Change::AddOne => 4 * place.info.bytes as usize / place.info.element.block_bytes(),
            _ => place.row_bytes(),
        })
    }

    /// Reads `count` rows from row `first` into `out`, whose former contents are dropped. Plain values that
    /// are not finite are refused.
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

    /// Reads `count` rows from row `first` of a plain type as binary32 (exactly) into `out`, whose former
    /// contents are dropped. Values that are not finite are refused, and so are parts in blocks.
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

    /// Reads rows as they lie; the range has been checked.
    fn read_stored(&self, place: &Place, first: usize, count: usize, out: &mut Vec<u8>) -> Result<()> {
        let row = place.row_bytes();
        let offset = place.info.offset + (first * row) as u64;
        // No more than the file's bytes.
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

/// The row after the last of those asked for.
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

/// Finds every part of a configuration among tensors; refused: parts that are missing, of another shape,
/// vectors in blocks, tensors that are no part.
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
    match by_name.into_keys().filter(|name| !is_left_out(config, name)).min() {
        Some(name) => Err(FileError::UnknownTensor { name }),
        None => Ok(parts),
    }
}

/// Whether a tensor may be there though it is no part: frequencies that follow from the configuration, and
/// the copy of a tied head.
fn is_left_out(config: &ModelConfig, name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || (config.tied_head && name == "lm_head.weight")
}
