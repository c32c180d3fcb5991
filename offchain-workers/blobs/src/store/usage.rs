// SPDX-License-Identifier: Apache-2.0
//! How many bytes a store holds. Counted on disk, because several processes may share the folder, and
//! kept in mind in between.

use parking_lot::Mutex;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// After this time the count on disk is done again.
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

    pub fn bytes(&self) -> u64 {
        self.current(&mut self.count.lock())
    }

    /// Adds bytes where they fit; else says how many there are.
    pub fn reserve(&self, bytes: u64, quota: u64) -> Result<(), u64> {
        let mut count = self.count.lock();
        let mut used = self.current(&mut count);
        if used.saturating_add(bytes) > quota {
            // Another process may have made room.
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

/// Bytes of all files below; what vanishes meanwhile does not count.
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
