// SPDX-License-Identifier: GPL-3.0-only
//! Text files to train on: their checks before anything is sent, and their division into shards.

use crate::error::{Error, Result};
use agorai_primitives::training::Recipe;
use std::{fs, path::Path};

/// Maximum bytes of a file of a corpus: 64 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Maximum bytes of a shard: 4 MiB.
pub const SHARD_BYTES: usize = 4 << 20;
/// Maximum number of shards of a dataset, as on the chain.
pub const MAX_SHARDS: usize = 256;

/// A file of a corpus that passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusFile {
    /// The file name without folders.
    pub name: String,
    /// The text.
    pub text: String,
}

impl CorpusFile {
    /// Reads a file; fails if it is empty, larger than [`MAX_FILE_BYTES`] or not UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let unreadable = |e: std::io::Error| {
            Error::usage("CorpusUnreadable", format!("cannot read {shown}: {e}"))
                .hint("check the path and that you may read the file")
        };
        // The length is checked first, so that a file beyond the limit is not read.
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > MAX_FILE_BYTES {
            return Err(too_large(&shown.to_string(), length));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_else(|| shown.to_string());
        Self::from_bytes(name, bytes)
    }

    /// Returns the file of `bytes`, with the checks of [`CorpusFile::read`].
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let name = name.into();
        if bytes.is_empty() {
            return Err(Error::usage("CorpusEmpty", format!("{name} is empty")).hint("give a file with UTF-8 text"));
        }
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(too_large(&name, bytes.len() as u64));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let offset = e.utf8_error().valid_up_to();
            Error::usage(
                "CorpusNotUtf8",
                format!("{name} is not UTF-8: the byte at offset {offset} starts no character"),
            )
            .hint(format!(
                "convert it first, e.g. iconv -f LATIN1 -t UTF-8 {name} > utf8.txt"
            ))
        })?;
        Ok(Self { name, text })
    }

    /// Returns the shards of the text, of at most [`SHARD_BYTES`] each. They end after a line where possible, and never
    /// within a character.
    pub fn shards(&self) -> Vec<&str> {
        let (mut rest, mut shards) = (self.text.as_str(), Vec::new());
        while rest.len() > SHARD_BYTES {
            let mut end = SHARD_BYTES;
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let end = rest[..end].rfind('\n').map_or(end, |newline| newline + 1);
            let (shard, remainder) = rest.split_at(end);
            shards.push(shard);
            rest = remainder;
        }
        if !rest.is_empty() {
            shards.push(rest);
        }
        shards
    }
}

fn too_large(name: &str, bytes: u64) -> Error {
    Error::usage(
        "CorpusTooLarge",
        format!("{name} has {bytes} bytes; the maximum of a file is {MAX_FILE_BYTES} (64 MiB)"),
    )
    .hint("split it into several files and publish all of them: split -C 60m FILE part-")
}

/// Returns the bytes that one round of `recipe` reads with `workers` workers: the sequences of each worker and the
/// held-out ones, all disjoint, of `sequence` + 1 bytes each.
pub fn bytes_needed(recipe: &Recipe, workers: u32) -> u64 {
    recipe
        .sequences_per_worker()
        .saturating_mul(u64::from(workers))
        .saturating_add(u64::from(recipe.held_out))
        .saturating_mul(u64::from(recipe.sequence).saturating_add(1))
}

/// Checks that a corpus has the bytes that one round of training reads, and at most [`MAX_SHARDS`] shards.
pub fn check_size(files: &[CorpusFile], recipe: &Recipe, workers: u32) -> Result<()> {
    let bytes: u64 = files.iter().map(|file| file.text.len() as u64).sum();
    let needed = bytes_needed(recipe, workers);
    if bytes < needed {
        return Err(Error::usage(
            "CorpusTooSmall",
            format!("the corpus has {bytes} bytes; a round of training with {workers} workers reads {needed}"),
        )
        .hint("add more text"));
    }
    let shards: usize = files.iter().map(|file| file.shards().len()).sum();
    if shards > MAX_SHARDS {
        return Err(Error::usage(
            "CorpusTooManyShards",
            format!("the corpus has {shards} shards; the maximum of a dataset is {MAX_SHARDS}"),
        )
        .hint("concatenate small files, or publish several datasets"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(bytes: &[u8]) -> String {
        CorpusFile::from_bytes("f", bytes.to_vec()).unwrap_err().name
    }

    #[test]
    fn corpus_is_refused_when_empty_or_not_utf8() {
        assert_eq!(name_of(b""), "CorpusEmpty");
        assert_eq!(name_of(b"ab\xff"), "CorpusNotUtf8");
        let message = CorpusFile::from_bytes("f", b"ab\xffcd".to_vec()).unwrap_err().message;
        assert!(message.contains("offset 2"), "{message}");
    }

    #[test]
    fn corpus_is_refused_when_file_is_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.txt");
        fs::File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(CorpusFile::read(&path).unwrap_err().name, "CorpusTooLarge");
        let missing = CorpusFile::read(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.name, "CorpusUnreadable");
    }

    #[test]
    fn corpus_is_refused_when_smaller_than_a_round() {
        let files = [CorpusFile::from_bytes("f", vec![b'a'; 100]).unwrap()];
        let error = check_size(&files, &Recipe::SMALL, 4).unwrap_err();
        assert_eq!(error.name, "CorpusTooSmall");
        assert_eq!(bytes_needed(&Recipe::SMALL, 4), (16 * 4 * 4 + 16) * 65);
    }

    #[test]
    fn shards_are_bounded_and_their_concatenation_is_the_text() {
        let text = "aé\n".repeat(SHARD_BYTES / 2);
        let file = CorpusFile::from_bytes("f", text.clone().into_bytes()).unwrap();
        let shards = file.shards();
        assert!(shards.len() > 1);
        assert!(shards.iter().all(|s| !s.is_empty() && s.len() <= SHARD_BYTES));
        assert_eq!(shards.concat(), text);
        let line = CorpusFile::from_bytes("f", "é".repeat(SHARD_BYTES).into_bytes()).unwrap();
        assert_eq!(line.shards().concat(), line.text);
    }
}
