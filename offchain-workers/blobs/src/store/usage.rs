// SPDX-License-Identifier: Apache-2.0
//! The number of bytes in a store. Several processes may share the folder, so the bytes on disk are counted regularly;
//! changes by this process are added in between.

use parking_lot::Mutex;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Time after which the bytes on disk are counted again.
const RECOUNT: Duration = Duration::from_secs(60);

pub struct Usage {
    folders: Vec<PathBuf>,
    count: Mutex<Option<(u64, Instant)>>,
}

impl Usage {
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self {
            folders,
            count: Mutex::new(None),
        }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.current(&mut self.count.lock())
    }

    /// Adds `bytes` if they fit into `quota`; otherwise returns the bytes in use as the error.
    pub fn reserve(&self, bytes: u64, quota: u64) -> Result<(), u64> {
        let mut count = self.count.lock();
        let mut used = self.current(&mut count);
        if used.saturating_add(bytes) > quota {
            // Another process may have deleted blobs since the last count.
            *count = None;
            used = self.current(&mut count);
        }
        let after = used.saturating_add(bytes);
        if after > quota {
            return Err(used);
        }
        if let Some((known, _)) = count.as_mut() {
            *known = after;
        }
        Ok(())
    }

    pub fn release(&self, bytes: u64) {
        if let Some((known, _)) = self.count.lock().as_mut() {
            *known = known.saturating_sub(bytes);
        }
    }

    fn current(&self, count: &mut Option<(u64, Instant)>) -> u64 {
        match count {
            Some((known, at)) if at.elapsed() < RECOUNT => *known,
            _ => {
                let bytes = self.folders.iter().map(|folder| size_of(folder)).sum();
                *count = Some((bytes, Instant::now()));
                bytes
            }
        }
    }
}

/// Total size of all files below a folder in bytes. Files that are removed meanwhile count as empty.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
