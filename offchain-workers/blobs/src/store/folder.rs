// SPDX-License-Identifier: Apache-2.0
//! Files and folders so that a kill or a power cut at any moment leaves either the old or the new state.

use super::StoreError;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Says what failed, and on what.
pub trait Doing<T> {
    /// Adds what was tried.
    fn doing(self, doing: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StoreError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            doing,
            path: path(),
            source,
        })
    }
}

/// Nanoseconds since 1970, for names that sort by age.
pub fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos())
}

/// Makes a folder and those above it, durably.
pub fn make(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).doing("make", || path.to_owned()),
        _ => sync_parent(path),
    }
}

/// Renames a synced file, durably.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).doing("rename to", || to.to_owned())?;
    sync_parent(to)
}

/// Removes a file; `false` where there was none.
pub fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(source).doing("remove", || path.to_owned()),
    }
}

/// What is in a folder; one that is not there is empty.
pub fn entries(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new())
        }
        Err(source) => return Err(source).doing("list", || path.to_owned()),
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .doing("list", || path.to_owned())
}

/// Removes all but the newest files, whose names end in `.<time>`.
pub fn keep_newest(path: &Path, kept: usize) -> Result<(), StoreError> {
    let mut files = entries(path)?;
    files.sort_by_key(|file| {
        file.extension()
            .and_then(|time| time.to_str()?.parse::<u128>().ok())
            .unwrap_or(0)
    });
    let surplus = files.len().saturating_sub(kept);
    for file in &files[..surplus] {
        remove(file)?;
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
        .doing("sync", || parent.to_owned())
}

/// Where one process writes its files before they get their names. The lock on `lock` says that the
/// process lives; the system drops it however the process ends.
pub struct Workshop {
    folder: PathBuf,
    next: AtomicU64,
    _alive: File,
}

impl Workshop {
    /// Opens one under `root/tmp` and removes those of processes that are gone.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        // Held only here, so that nobody takes a workshop for dead before it is locked.
        let door = root.join("lock");
        let guard = File::create(&door).doing("open", || door.clone())?;
        guard.lock().doing("lock", || door.clone())?;

        let all = root.join("tmp");
        for old in entries(&all)? {
            let alive = File::open(old.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
            if !alive {
                fs::remove_dir_all(&old).doing("remove", || old.clone())?;
            }
        }
        let folder = all.join(format!("{}-{:020}", process::id(), now()));
        make(&folder)?;
        let lock = folder.join("lock");
        let alive = File::create(&lock).doing("open", || lock.clone())?;
        alive.lock().doing("lock", || lock.clone())?;
        Ok(Self {
            folder,
            next: AtomicU64::new(0),
            _alive: alive,
        })
    }

    /// Writes and syncs a new file; its path.
    pub fn write(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<PathBuf, StoreError> {
        let name = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(name.to_string());
        let written = File::create_new(&path).and_then(|mut file| {
            fill(&mut file)?;
            file.sync_all()
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&path);
        }
        written.doing("write", || path.clone())?;
        Ok(path)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays behind is removed by the next one that opens.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
