// SPDX-License-Identifier: Apache-2.0
//! Durable file operations: after a crash or a power failure, either the old or the new state is on disk.

use super::error::{IoContext, StoreError};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Nanoseconds since the Unix epoch, for file names that sort by age.
pub fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos())
}

/// Creates a folder and its parents, durably.
pub fn create_dir(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).context("create", || path.to_owned()),
        _ => sync_parent(path),
    }
}

/// Renames a synced file, durably.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).context("rename to", || to.to_owned())?;
    sync_parent(to)
}

/// Removes a file. Returns `false` if it did not exist.
pub fn remove_file(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(source).context("remove", || path.to_owned()),
    }
}

/// Lists the entries of a folder. A folder that does not exist has none.
pub fn list_dir(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new())
        }
        Err(source) => return Err(source).context("list", || path.to_owned()),
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .context("list", || path.to_owned())
}

/// Removes all files of a folder except the `count` newest. File names end in `.<time>`, see [`now`].
pub fn retain_newest(path: &Path, count: usize) -> Result<(), StoreError> {
    let mut files = list_dir(path)?;
    files.sort_by_key(|file| {
        file.extension()
            .and_then(|time| time.to_str()?.parse::<u128>().ok())
            .unwrap_or(0)
    });
    let surplus = files.len().saturating_sub(count);
    for file in &files[..surplus] {
        remove_file(file)?;
    }
    Ok(())
}

fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .context("sync", || parent.to_owned())
}

/// The folder in which a process writes files before they are renamed to their final path. The process holds a lock on
/// the file `lock` in it, which the operating system releases when the process ends.
pub struct StagingDir {
    folder: PathBuf,
    next: AtomicU64,
    _lock: File,
}

impl StagingDir {
    /// Creates a staging folder below `root/tmp`, and removes the ones of processes that have ended.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        // Held until this folder's own lock is taken, so that no other process removes the folder before.
        let global_path = root.join("lock");
        let global = File::create(&global_path).context("open", || global_path.clone())?;
        global.lock().context("lock", || global_path.clone())?;

        let all = root.join("tmp");
        for old in list_dir(&all)? {
            let in_use = File::open(old.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
            if !in_use {
                fs::remove_dir_all(&old).context("remove", || old.clone())?;
            }
        }
        let folder = all.join(format!("{}-{:020}", process::id(), now()));
        create_dir(&folder)?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).context("open", || lock_path.clone())?;
        lock.lock().context("lock", || lock_path.clone())?;
        Ok(Self {
            folder,
            next: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Writes and syncs a new file with `write`, and returns its path.
    pub fn write_file(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<PathBuf, StoreError> {
        let name = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(name.to_string());
        let written = File::create_new(&path).and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()
        });
        if written.is_err() {
            // The first error is returned, not that of the removal.
            let _ = fs::remove_file(&path);
        }
        written.context("write", || path.clone())?;
        Ok(path)
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        // Remaining files are removed when the next staging folder is created.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
