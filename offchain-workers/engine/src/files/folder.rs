// SPDX-License-Identifier: Apache-2.0
//! The files of a Hugging Face model: `config.json`, `model.safetensors` or several files named by
//! `model.safetensors.index.json`, `tokenizer.json`, and the chat template in `chat_template.jinja` or
//! `tokenizer_config.json`.

use super::{
    error::{FileError, Result},
    source::{FileSource, Source},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

/// Maximum number of bytes of an index.
const MAX_INDEX: u64 = 16 << 20;
/// Maximum number of safetensors files.
const MAX_SHARDS: usize = 1024;
/// Maximum number of bytes of a configuration file or template.
const MAX_JSON: u64 = 16 << 20;
/// Maximum number of bytes of a `tokenizer.json`.
const MAX_TOKENIZER: u64 = 64 << 20;

/// The files of a model.
pub struct Folder {
    /// `config.json`.
    pub config: Vec<u8>,
    /// The safetensors files.
    pub shards: Vec<Box<dyn Source>>,
    /// `tokenizer.json`, if there is one.
    pub tokenizer: Option<Box<dyn Source>>,
    /// `tokenizer_config.json`, if there is one.
    pub tokenizer_config: Option<Box<dyn Source>>,
    /// `chat_template.jinja`, if there is one.
    pub chat_template: Option<Box<dyn Source>>,
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Folder {
    /// Opens the files of a folder; of the safetensors files nothing is read.
    pub fn open(path: &Path) -> Result<Self> {
        let mut shards: Vec<Box<dyn Source>> = Vec::new();
        match optional(&path.join("model.safetensors.index.json"))? {
            None => shards.push(Box::new(FileSource::open(&path.join("model.safetensors"))?)),
            Some(index) => {
                for name in names(&read_all(&*index, "the index", MAX_INDEX)?)? {
                    shards.push(Box::new(FileSource::open(&path.join(name))?));
                }
            }
        }
        let config = FileSource::open(&path.join("config.json"))?;
        Ok(Self {
            config: read_all(&config, "config.json", MAX_JSON)?,
            shards,
            tokenizer: optional(&path.join("tokenizer.json"))?,
            tokenizer_config: optional(&path.join("tokenizer_config.json"))?,
            chat_template: optional(&path.join("chat_template.jinja"))?,
        })
    }

    /// Reads `tokenizer.json`.
    pub fn tokenizer_json(&self) -> Result<Vec<u8>> {
        match &self.tokenizer {
            Some(source) => read_all(&**source, "tokenizer.json", MAX_TOKENIZER),
            None => Err(FileError::MissingKey {
                key: "tokenizer.json".into(),
            }),
        }
    }

    /// Reads the chat template, if there is one.
    pub fn template(&self) -> Result<Option<String>> {
        if let Some(source) = &self.chat_template {
            let bytes = read_all(&**source, "chat_template.jinja", MAX_JSON)?;
            return match String::from_utf8(bytes) {
                Ok(template) => Ok(Some(template)),
                Err(_) => Err(FileError::NotText {
                    what: "chat_template.jinja",
                    at: source.size(),
                }),
            };
        }
        Ok(self.setting("chat_template")?.and_then(|value| match value {
            serde_json::Value::String(template) => Some(template),
            // Several templates by name.
            serde_json::Value::Array(all) => all
                .iter()
                .find(|one| one["name"] == "default")
                .and_then(|one| one["template"].as_str().map(str::to_owned)),
            _ => None,
        }))
    }

    /// Reads a value of `tokenizer_config.json`.
    pub fn setting(&self, key: &str) -> Result<Option<serde_json::Value>> {
        let Some(source) = &self.tokenizer_config else {
            return Ok(None);
        };
        let what = "tokenizer_config.json";
        let bytes = read_all(&**source, what, MAX_JSON)?;
        let mut all: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&bytes).map_err(|error| FileError::Json {
                what,
                reason: error.to_string(),
            })?;
        Ok(all.remove(key))
    }
}

/// Returns the names of the files of an index.
fn names(index: &[u8]) -> Result<BTreeSet<String>> {
    let index: Index = serde_json::from_slice(index).map_err(|error| FileError::Json {
        what: "the index",
        reason: error.to_string(),
    })?;
    let names: BTreeSet<_> = index.weight_map.into_values().collect();
    if names.len() > MAX_SHARDS {
        return Err(FileError::TooMany {
            what: "files of tensors",
            count: names.len() as u64,
            max: MAX_SHARDS as u64,
        });
    }
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(FileError::Path(name.clone())),
        None => Ok(names),
    }
}

/// Returns whether a name is that of a file directly in the folder.
fn is_plain(name: &str) -> bool {
    name.ends_with(".safetensors") && !name.contains(['/', '\\', '\0']) && !name.starts_with('.')
}

fn optional(path: &Path) -> Result<Option<Box<dyn Source>>> {
    match FileSource::open(path) {
        Ok(source) => Ok(Some(Box::new(source))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_all(source: &dyn Source, what: &'static str, max: u64) -> Result<Vec<u8>> {
    let count = source.size();
    if count > max {
        return Err(FileError::TooMany { what, count, max });
    }
    let mut bytes = vec![0; count as usize];
    source.read_at(0, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_refused_when_a_name_leads_out_of_the_folder() {
        let index = |name: &str| format!(r#"{{"weight_map":{{"a":"{name}"}}}}"#);
        assert_eq!(names(index("m-1.safetensors").as_bytes()).unwrap().len(), 1);
        for name in ["../x.safetensors", "/x.safetensors", "a/b.safetensors", "x"] {
            let refused = names(index(name).as_bytes());
            assert!(matches!(refused, Err(FileError::Path(_))), "{name}");
        }
    }
}
