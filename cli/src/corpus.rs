// SPDX-License-Identifier: GPL-3.0-only
//! Checks of a corpus before anything of it is sent, and how it is cut into shards.

use crate::error::{Error, Result};
use agorai_primitives::training::Recipe;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Most bytes of a file of a corpus: 64 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most bytes of a shard: 4 MiB.
pub const SHARD_BYTES: usize = 4 << 20;
/// Most shards of a dataset, as on the chain.
pub const MAX_SHARDS: usize = 256;

/// A checked file of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusFile {
    /// Its name, without folders.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl CorpusFile {
    /// Reads and checks a file: not empty, not too large, UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let unreadable = |e: std::io::Error| {
            Error::usage("CorpusUnreadable", format!("cannot read {shown}: {e}"))
                .hint("check the path and that you may read the file")
        };
        // The length is asked first, so that a file beyond the limit is never read.
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

    /// Checks bytes that are already here.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let name = name.into();
        if bytes.is_empty() {
            return Err(
                Error::usage("CorpusEmpty", format!("{name} is empty: there is nothing to train on"))
                    .hint("give a file with UTF-8 text"),
            );
        }
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(too_large(&name, bytes.len() as u64));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let offset = e.utf8_error().valid_up_to();
            Error::usage(
                "CorpusNotUtf8",
                format!("{name} is not UTF-8 text: the byte at offset {offset} begins no character"),
            )
            .hint(format!(
                "convert it first, e.g. iconv -f LATIN1 -t UTF-8 {name} > utf8.txt"
            ))
        })?;
        Ok(Self { name, text })
    }

    /// Its shards: at most [`SHARD_BYTES`] each, cut after a line where there is one, and never within a
    /// character.
    pub fn shards(&self) -> Vec<&str> {
        let (mut rest, mut shards) = (self.text.as_str(), Vec::new());
        while rest.len() > SHARD_BYTES {
            let mut end = SHARD_BYTES;
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let end = rest[..end].rfind('\n').map_or(end, |newline| newline + 1);
            let (shard, later) = rest.split_at(end);
            shards.push(shard);
            rest = later;
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
        format!("{name} has {bytes} bytes; a file may have at most {MAX_FILE_BYTES} (64 MiB)"),
    )
    .hint("split it into several files and give them all: split -C 60m FILE part-")
}

/// Bytes that one round of `recipe` reads with `workers` workers, all on different sequences: their own
/// and the held-out ones, each of `sequence` + 1 bytes.
pub fn bytes_needed(recipe: &Recipe, workers: u32) -> u64 {
    recipe
        .sequences_per_worker()
        .saturating_mul(u64::from(workers))
        .saturating_add(u64::from(recipe.held_out))
        .saturating_mul(u64::from(recipe.sequence).saturating_add(1))
}

/// Refuses a corpus with fewer bytes than one round of training reads, and one with too many shards.
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
            format!("the corpus makes {shards} shards; a dataset has at most {MAX_SHARDS}"),
        )
        .hint("join small files, or publish several datasets"));
    }
    Ok(())
}

/// The text of a repository's docs and sources (`*.md`, `*.rs`), sorted by path, as one file.
pub fn gather(root: &Path) -> Result<CorpusFile> {
    let mut paths = Vec::new();
    collect(root, &mut paths, 0)?;
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        // A file that is not text is no reason to fail: it is simply not part of the docs.
        if let Ok(part) = fs::read_to_string(path) {
            text.push_str(&part);
            text.push('\n');
        }
    }
    CorpusFile::from_bytes("repository.txt", text.into_bytes()).map_err(|e| {
        e.hint(format!(
            "no *.md or *.rs under {}: name a repository with --repo or a text with --text",
            root.display()
        ))
    })
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|e| {
        Error::usage(
            "CorpusUnreadable",
            format!("cannot read the folder {}: {e}", folder.display()),
        )
    })?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let left_out = name.to_string_lossy().starts_with('.') || name == "target" || name == "node_modules";
        let is_text = path.extension().is_some_and(|e| e == "md" || e == "rs");
        if left_out {
            continue;
        }
        if kind.is_dir() && depth < 16 {
            collect(&path, paths, depth + 1)?;
        } else if kind.is_file() && is_text {
            paths.push(path);
        }
    }
    Ok(())
}

/// The root of the repository in or above `from`: where a Cargo workspace begins.
pub fn repository_root(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|folder| {
            fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("[workspace]"))
        })
        .map(Path::to_path_buf)
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
    fn shards_are_bounded_and_keep_every_byte() {
        let text = "aé\n".repeat(SHARD_BYTES / 2);
        let file = CorpusFile::from_bytes("f", text.clone().into_bytes()).unwrap();
        let shards = file.shards();
        assert!(shards.len() > 1);
        assert!(shards.iter().all(|s| !s.is_empty() && s.len() <= SHARD_BYTES));
        assert_eq!(shards.concat(), text);
        let line = CorpusFile::from_bytes("f", "é".repeat(SHARD_BYTES).into_bytes()).unwrap();
        assert_eq!(line.shards().concat(), line.text);
    }

    #[test]
    fn repository_text_is_gathered_without_build_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("target")).unwrap();
        fs::write(root.join("target/x.rs"), "built").unwrap();
        fs::write(root.join("a.md"), "docs").unwrap();
        fs::write(root.join("b.rs"), "code").unwrap();
        fs::write(root.join("c.bin"), "no").unwrap();
        assert_eq!(gather(root).unwrap().text, "docs\ncode\n");
    }
}
