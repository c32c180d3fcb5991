// SPDX-License-Identifier: Apache-2.0
//! A blob that is being fetched: its bytes, and a log of its verified chunks.
//!
//! The log `.have` begins with the blob's size (8 bytes, little endian), followed by the index of every chunk in
//! `.data` (4 bytes each, little endian). An incomplete record at the end is ignored. The whole file is hashed when the
//! fetch is complete, so a wrong log costs time, never correctness.

use super::{
    durable,
    error::{IoContext, StoreError},
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

/// Age after which an untouched partial blob is removed.
const STALE_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// A blob that is being fetched. Its file is locked: one process at a time fetches it. After a drop it can be resumed.
#[derive(Debug)]
pub struct PartialBlob {
    id: BlobId,
    size: u64,
    data: File,
    have: File,
    data_path: PathBuf,
    have_path: PathBuf,
    verified: Vec<bool>,
}

impl PartialBlob {
    /// Opens the files of an earlier fetch, if they are complete enough to continue.
    pub(super) fn resume(folder: &Path, id: &BlobId) -> Result<Option<Self>, StoreError> {
        let [data_path, have_path] = paths(folder, id);
        if !data_path.is_file() || !have_path.is_file() {
            return Ok(None);
        }
        let (data, mut have) = Self::open(id, &data_path, &have_path)?;
        let mut log = Vec::new();
        have.read_to_end(&mut log).context("read", || have_path.clone())?;
        let size = data.metadata().context("read", || data_path.clone())?.len();
        let claimed = log.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
        if claimed != Some(size) {
            // A crash interrupted `create`.
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
        let records = (log.len() - 8) / 4;
        for record in log[8..].chunks_exact(4) {
            let index = record.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
            if let Some(verified) = partial.verified.get_mut(index) {
                *verified = true;
            }
        }
        // Removes an incomplete record, so that the next one is aligned.
        partial
            .have
            .set_len(8 + 4 * records as u64)
            .context("write", || partial.have_path.clone())?;
        Ok(Some(partial))
    }

    /// Creates the files of a new fetch of `size` bytes.
    pub(super) fn create(folder: &Path, id: &BlobId, size: u64) -> Result<Self, StoreError> {
        let [data_path, have_path] = paths(folder, id);
        let (data, mut have) = Self::open(id, &data_path, &have_path)?;
        have.set_len(0)
            .and_then(|()| data.set_len(0))
            .and_then(|()| data.set_len(size))
            .and_then(|()| have.write_all(&size.to_le_bytes()))
            .context("write", || data_path.clone())?;
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

    /// Opens data file and log, creating them if necessary, and locks the data file.
    fn open(id: &BlobId, data: &Path, have: &Path) -> Result<(File, File), StoreError> {
        let opened = |path: &Path, append: bool| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .append(append)
                .create(true)
                .truncate(false)
                .open(path)
                .context("open", || path.to_owned())
        };
        let file = opened(data, false)?;
        match file.try_lock() {
            Ok(()) => Ok((file, opened(have, true)?)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(*id)),
            Err(TryLockError::Error(source)) => Err(source).context("lock", || data.to_owned()),
        }
    }

    /// The blob's id.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Size of the complete blob in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the indices of the chunks that are not written yet, ascending.
    pub fn missing(&self) -> Vec<u32> {
        let indices = (0..).zip(&self.verified);
        indices
            .filter_map(|(index, verified)| (!verified).then_some(index))
            .collect()
    }

    /// Whether the chunk at `index` is written.
    pub fn has(&self, index: u32) -> bool {
        self.verified.get(index as usize).copied().unwrap_or(false)
    }

    /// Writes a chunk whose bytes, and thereby length, the caller has verified. Ignores an index beyond the end.
    pub fn write(&mut self, index: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(verified) = self.verified.get_mut(index as usize) else {
            return Ok(());
        };
        self.data
            .write_all_at(bytes, u64::from(index) * CHUNK_BYTES)
            .context("write", || self.data_path.clone())?;
        self.have
            .write_all(&index.to_le_bytes())
            .context("write", || self.have_path.clone())?;
        *verified = true;
        Ok(())
    }

    pub(super) fn data_path(&self) -> &Path {
        &self.data_path
    }

    /// Syncs and hashes the file. Returns its outboard, or `None` if it does not hash to the blob's id.
    pub(super) fn hash(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.data.sync_all().context("sync", || self.data_path.clone())?;
        let file = File::open(&self.data_path).context("open", || self.data_path.clone())?;
        let reader = BufReader::with_capacity(1 << 20, file);
        let (actual, outboard) = chunk::hash(reader, self.size).context("read", || self.data_path.clone())?;
        Ok((actual == self.id).then_some(outboard))
    }

    /// Removes the files below `partial/`. If this fails, [`remove_stale`] removes them later.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.have_path);
        let _ = fs::remove_file(&self.data_path);
    }
}

/// Removes partial blobs that have not been modified for [`STALE_AFTER`].
pub(super) fn remove_stale(folder: &Path) {
    let stale = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|meta| meta.modified());
        modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STALE_AFTER))
    };
    let files = durable::list_dir(folder).unwrap_or_default();
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
