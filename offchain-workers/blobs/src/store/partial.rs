// SPDX-License-Identifier: Apache-2.0
//! A blob that is being fetched: its bytes, and a log of which chunks have been verified.
//!
//! `.have` begins with the size (8 bytes, little endian); then follows one `u32` for every chunk that is
//! in `.data`. A record that a kill cut short is ignored. The whole file is hashed at the end, so a
//! wrong log costs time, never correctness.

use super::{
    folder::{self, Doing},
    StoreError,
};
use crate::chunk;
use agorai_primitives::{BlobId, CHUNK_BYTES};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{BufReader, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Partial blobs that nobody has touched for this long are given up.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A blob that is being fetched. One process at a time holds it. Dropping it keeps it for later.
#[derive(Debug)]
pub struct Partial {
    id: BlobId,
    size: u64,
    data: File,
    have: File,
    data_path: PathBuf,
    have_path: PathBuf,
    verified: Vec<bool>,
}

impl Partial {
    pub(super) fn resume(folder: &Path, id: &BlobId) -> Result<Option<Self>, StoreError> {
        let [data_path, have_path] = paths(folder, id);
        if !data_path.is_file() || !have_path.is_file() {
            return Ok(None);
        }
        let (data, mut have) = Self::open(id, &data_path, &have_path)?;
        let mut log = Vec::new();
        have.read_to_end(&mut log).doing("read", || have_path.clone())?;
        let size = data.metadata().doing("read", || data_path.clone())?.len();
        let claimed = log.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
        if claimed != Some(size) {
            // Cut short before it was set up.
            return Ok(None);
        }
        let mut partial = Self {
            id: *id,
            size,
            data,
            have,
            data_path,
            have_path,
            verified: vec![false; chunks(size)],
        };
        let whole = (log.len() - 8) / 4;
        for record in log[8..].chunks_exact(4) {
            let index = record.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
            if let Some(verified) = partial.verified.get_mut(index) {
                *verified = true;
            }
        }
        // So that the next record does not continue one that was cut short.
        partial
            .have
            .set_len(8 + 4 * whole as u64)
            .doing("write", || partial.have_path.clone())?;
        Ok(Some(partial))
    }

    pub(super) fn begin(folder: &Path, id: &BlobId, size: u64) -> Result<Self, StoreError> {
        let [data_path, have_path] = paths(folder, id);
        let (data, mut have) = Self::open(id, &data_path, &have_path)?;
        have.set_len(0)
            .and_then(|()| data.set_len(0))
            .and_then(|()| data.set_len(size))
            .and_then(|()| have.write_all(&size.to_le_bytes()))
            .doing("write", || data_path.clone())?;
        Ok(Self {
            id: *id,
            size,
            data,
            have,
            data_path,
            have_path,
            verified: vec![false; chunks(size)],
        })
    }

    fn open(id: &BlobId, data: &Path, have: &Path) -> Result<(File, File), StoreError> {
        let opened = |path: &Path, append: bool| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .append(append)
                .create(true)
                .truncate(false)
                .open(path)
                .doing("open", || path.to_owned())
        };
        let file = opened(data, false)?;
        match file.try_lock() {
            Ok(()) => Ok((file, opened(have, true)?)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(*id)),
            Err(TryLockError::Error(source)) => Err(source).doing("lock", || data.to_owned()),
        }
    }

    /// The blob.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Its bytes in the end.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Chunks that are still to be fetched, ascending.
    pub fn missing(&self) -> Vec<u32> {
        let indices = (0..).zip(&self.verified);
        indices
            .filter_map(|(index, verified)| (!verified).then_some(index))
            .collect()
    }

    /// Whether the chunk is there.
    pub fn has(&self, index: u32) -> bool {
        self.verified.get(index as usize).copied().unwrap_or(false)
    }

    /// Writes a chunk that the caller has verified (its length included).
    pub fn write(&mut self, index: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(verified) = self.verified.get_mut(index as usize) else {
            return Ok(());
        };
        self.data
            .write_all_at(bytes, u64::from(index) * CHUNK_BYTES)
            .doing("write", || self.data_path.clone())?;
        self.have
            .write_all(&index.to_le_bytes())
            .doing("write", || self.have_path.clone())?;
        *verified = true;
        Ok(())
    }

    pub(super) fn data_path(&self) -> &Path {
        &self.data_path
    }

    /// Syncs and hashes the file: its outboard, or `None` where it does not hash to its name.
    pub(super) fn hashed(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.data.sync_all().doing("sync", || self.data_path.clone())?;
        let file = File::open(&self.data_path).doing("open", || self.data_path.clone())?;
        let reader = BufReader::with_capacity(1 << 20, file);
        let (actual, outboard) = chunk::hash(reader, self.size).doing("read", || self.data_path.clone())?;
        Ok((actual == self.id).then_some(outboard))
    }

    /// Removes what is left under `partial/`. Failing costs space until the stale ones are removed.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.have_path);
        let _ = fs::remove_file(&self.data_path);
    }
}

/// Removes partial blobs that have been left alone for long.
pub(super) fn remove_stale(folder: &Path) {
    let stale = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|meta| meta.modified());
        modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STALE))
    };
    let files = folder::entries(folder).unwrap_or_default();
    for path in files.into_iter().filter(stale) {
        let _ = fs::remove_file(path);
    }
}

fn paths(folder: &Path, id: &BlobId) -> [PathBuf; 2] {
    ["data", "have"].map(|extension| folder.join(format!("{id}.{extension}")))
}

fn chunks(size: u64) -> usize {
    usize::try_from(chunk::count(size)).unwrap_or(usize::MAX)
}
