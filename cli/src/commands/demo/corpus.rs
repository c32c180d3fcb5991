// SPDX-License-Identifier: GPL-3.0-only
//! The demo's corpus: a given text, or the documentation and sources of a repository.

use crate::{
    corpus::CorpusFile,
    error::{Error, Result},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Minimum bytes of a repository's corpus.
const MIN_REPOSITORY_BYTES: usize = 300_000;
/// Maximum depth of folders that are searched.
const MAX_DEPTH: usize = 16;

/// Returns the corpus: the file `text`, else the documentation and sources of `repo` or of the repository around the
/// current folder.
pub fn load(text: Option<&Path>, repo: Option<&Path>) -> Result<CorpusFile> {
    if let Some(text) = text {
        return CorpusFile::read(text);
    }
    let root = match repo {
        Some(repo) => repo.to_path_buf(),
        None => std::env::current_dir()
            .ok()
            .and_then(|folder| repository_root(&folder))
            .ok_or_else(|| {
                Error::usage("NoRepository", "the current folder is in no repository")
                    .hint("name a repository with --repo or a text with --text")
            })?,
    };
    let file = gather(&root)?;
    if file.text.len() < MIN_REPOSITORY_BYTES {
        return Err(Error::usage(
            "CorpusTooSmall",
            format!(
                "{} has {} bytes of documentation and sources; the demo needs {MIN_REPOSITORY_BYTES}",
                root.display(),
                file.text.len()
            ),
        )
        .hint("give a text with --text"));
    }
    Ok(file)
}

/// Returns the text of all `*.md` and `*.rs` files of a repository as one file, sorted by path.
fn gather(root: &Path) -> Result<CorpusFile> {
    let mut paths = Vec::new();
    collect(root, &mut paths, 0)?;
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        // A file that is not UTF-8 is omitted.
        if let Ok(part) = fs::read_to_string(path) {
            text.push_str(&part);
            text.push('\n');
        }
    }
    CorpusFile::from_bytes("repository.txt", text.into_bytes()).map_err(|e| {
        e.hint(format!(
            "there is no *.md or *.rs file in {}: name a repository with --repo or a text with --text",
            root.display()
        ))
    })
}

/// Appends the `*.md` and `*.rs` files in and below `folder`, without hidden folders and build outputs.
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
        if name.to_string_lossy().starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if kind.is_dir() && depth < MAX_DEPTH {
            collect(&path, paths, depth + 1)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "md" || e == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Returns the closest folder in or above `from` that holds a Cargo workspace.
fn repository_root(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|folder| {
            fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("[workspace]"))
        })
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

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
