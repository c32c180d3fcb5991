// SPDX-License-Identifier: Apache-2.0
//! Blobs on disk.
//!
//! ```text
//! blobs/ab/cd/<id>          complete blobs: written elsewhere, synced, then renamed
//! blobs/ab/cd/<id>.tree     their outboards (see `chunk`)
//! partial/<id>.{data,have}  blobs that are being fetched: the bytes, and a log of the verified chunks
//! tmp/<process>/            files that are being written; removed after their process has ended
//! quarantine/<id>.<time>    damaged blobs; only the newest are kept
//! ```
//!
//! Several processes may share a folder (node and worker). Every read verifies the hash: a damaged blob is quarantined
//! and counts as missing. A crash leaves no incomplete file below `blobs/`.

mod durable;
mod error;
mod partial;
#[cfg(test)]
mod tests;
mod usage;

pub use error::StoreError;
pub use partial::PartialBlob;

use crate::chunk;
use agorai_primitives::BlobId;
use durable::StagingDir;
use error::IoContext;
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};
use usage::Usage;

/// Number of damaged blobs that are kept in quarantine.
const MAX_QUARANTINED: usize = 8;

/// Size limits of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Maximum size of one blob in bytes.
    pub blob_bytes: u64,
    /// Maximum size of all blobs in bytes, including partial ones.
    pub total_bytes: u64,
}

impl Default for StoreLimits {
    /// 256 MiB per blob, 64 GiB in total.
    fn default() -> Self {
        Self {
            blob_bytes: 256 << 20,
            total_bytes: 64 << 30,
        }
    }
}

/// A chunk of a stored blob with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Size of the whole blob in bytes.
    pub size: u64,
    /// Index of the chunk.
    pub index: u64,
    /// Chunk and proof, as encoded by [`chunk::encode`].
    pub bytes: Vec<u8>,
}

/// Blobs on disk, see the [module](self).
pub struct Store {
    root: PathBuf,
    limits: StoreLimits,
    staging: StagingDir,
    usage: Usage,
}

impl Store {
    /// Opens the store in a folder, which is created if it does not exist. Removes incomplete files of processes that
    /// have ended.
    pub fn open(root: impl Into<PathBuf>, limits: StoreLimits) -> Result<Self, StoreError> {
        let root = root.into();
        for name in ["blobs", "partial", "tmp", "quarantine"] {
            durable::create_dir(&root.join(name))?;
        }
        let staging = StagingDir::create(&root)?;
        partial::remove_stale(&root.join("partial"));
        let usage = Usage::new(vec![root.join("blobs"), root.join("partial")]);
        Ok(Self {
            root,
            limits,
            staging,
            usage,
        })
    }

    /// Stores bytes and returns their id. If the store contains the blob already, nothing changes; a damaged copy is
    /// replaced.
    ///
    /// Errors: `BlobTooLarge`, `Full`, `Io`.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        let size = bytes.len() as u64;
        self.check_size(size)?;
        let (id, outboard) = chunk::hash(bytes, size).context("hash a blob for", || self.root.clone())?;
        if self.get(&id)?.is_some() {
            return Ok(id);
        }
        self.reserve(size)?;
        let written = self.staging.write_file(|file| file.write_all(bytes));
        let installed = written.and_then(|temporary| self.install(&id, &temporary, &outboard));
        if installed.is_err() {
            self.usage.release(size);
        }
        installed.map(|()| id)
    }

    /// Returns the verified bytes of a blob, or `None` if the store does not contain it.
    pub fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(id);
        let Some((file, size)) = open(&path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        if size <= self.limits.blob_bytes {
            bytes.reserve_exact(usize::try_from(size).unwrap_or_default());
            file.take(self.limits.blob_bytes)
                .read_to_end(&mut bytes)
                .context("read", || path.clone())?;
            if BlobId::of(&bytes) == *id {
                return Ok(Some(bytes));
            }
        }
        self.quarantine(id, size)?;
        Ok(None)
    }

    /// Returns a verified chunk of a blob with its proof, or `None` if the store does not contain the blob or the blob
    /// has no such chunk. If `index` is `None`, returns the last chunk.
    pub fn slice(&self, id: &BlobId, index: Option<u64>) -> Result<Option<Slice>, StoreError> {
        let path = self.path(id);
        let Some((file, size)) = open(&path)? else {
            return Ok(None);
        };
        let chunks = chunk::count(size);
        let index = index.unwrap_or(chunks - 1);
        if index >= chunks {
            return Ok(None);
        }
        let outboard = fs::read(self.outboard_path(id)).unwrap_or_default();
        if let Ok(bytes) = chunk::encode(&file, id, size, outboard, index) {
            return Ok(Some(Slice { size, index, bytes }));
        }
        // The outboard or the blob is damaged. The blob is intact if it hashes to its id.
        let reader = BufReader::with_capacity(1 << 20, &file);
        match chunk::hash(reader, size) {
            Ok((actual, outboard)) if actual == *id => {
                self.install_outboard(id, &outboard)?;
                let bytes = chunk::encode(&file, id, size, outboard, index).context("read", || path.clone())?;
                Ok(Some(Slice { size, index, bytes }))
            }
            Ok(_) => {
                self.quarantine(id, size)?;
                Ok(None)
            }
            Err(source) => Err(source).context("read", || path),
        }
    }

    /// Whether the store contains a blob. Does not verify it.
    pub fn has(&self, id: &BlobId) -> bool {
        self.path(id).is_file()
    }

    /// Deletes a blob. Returns `false` if the store did not contain it.
    pub fn delete(&self, id: &BlobId) -> Result<bool, StoreError> {
        let path = self.path(id);
        let size = fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0);
        let existed = durable::remove_file(&path)?;
        durable::remove_file(&self.outboard_path(id))?;
        if existed {
            self.usage.release(size);
        }
        Ok(existed)
    }

    /// Returns the partial blob that an earlier fetch left, if any.
    ///
    /// Errors: `InUse` if another fetch holds it, `Io`.
    pub fn resume_partial(&self, id: &BlobId) -> Result<Option<PartialBlob>, StoreError> {
        PartialBlob::resume(&self.root.join("partial"), id)
    }

    /// Creates a partial blob of `size` bytes, which the caller has verified, and reserves the space.
    ///
    /// Errors: `BlobTooLarge`, `Full`, `InUse`, `Io`.
    pub fn create_partial(&self, id: &BlobId, size: u64) -> Result<PartialBlob, StoreError> {
        self.check_size(size)?;
        self.reserve(size)?;
        let partial = PartialBlob::create(&self.root.join("partial"), id, size);
        if partial.is_err() {
            self.usage.release(size);
        }
        partial
    }

    /// Turns a partial blob whose chunks are all written into a complete blob.
    ///
    /// Errors: `Damaged` if it does not hash to its id, in which case the partial blob is removed; `Io`.
    pub fn complete(&self, partial: PartialBlob) -> Result<(), StoreError> {
        let (id, size) = (partial.id(), partial.size());
        let outboard = partial.hash()?;
        let installed = match outboard {
            Some(outboard) => self.install(&id, partial.data_path(), &outboard),
            None => Err(StoreError::Damaged(id)),
        };
        if installed.is_err() {
            self.usage.release(size);
        }
        partial.remove();
        installed
    }

    fn check_size(&self, bytes: u64) -> Result<(), StoreError> {
        let limit = self.limits.blob_bytes.min(chunk::MAX_BLOB_SIZE);
        if bytes > limit {
            return Err(StoreError::BlobTooLarge { bytes, limit });
        }
        Ok(())
    }

    fn reserve(&self, needed: u64) -> Result<(), StoreError> {
        let quota = self.limits.total_bytes;
        self.usage
            .reserve(needed, quota)
            .map_err(|used| StoreError::Full { needed, used, quota })
    }

    /// Moves a complete, synced file to its final path, after its outboard.
    fn install(&self, id: &BlobId, file: &Path, outboard: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id);
        if let Some(parent) = path.parent() {
            durable::create_dir(parent)?;
        }
        self.install_outboard(id, outboard)?;
        durable::rename(file, &path)
    }

    fn install_outboard(&self, id: &BlobId, outboard: &[u8]) -> Result<(), StoreError> {
        let temporary = self.staging.write_file(|file| file.write_all(outboard))?;
        durable::rename(&temporary, &self.outboard_path(id))
    }

    fn quarantine(&self, id: &BlobId, size: u64) -> Result<(), StoreError> {
        log::warn!(target: "blobs", "blob {id} is damaged on disk and moved to quarantine");
        let quarantine = self.root.join("quarantine");
        durable::rename(&self.path(id), &quarantine.join(format!("{id}.{:020}", durable::now())))?;
        durable::remove_file(&self.outboard_path(id))?;
        self.usage.release(size);
        durable::retain_newest(&quarantine, MAX_QUARANTINED)
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        let name = id.to_string();
        let mut path = self.root.join("blobs");
        path.extend([&name[..2], &name[2..4], &name]);
        path
    }

    fn outboard_path(&self, id: &BlobId) -> PathBuf {
        self.path(id).with_extension("tree")
    }
}

fn open(path: &Path) -> Result<Option<(File, u64)>, StoreError> {
    match File::open(path).and_then(|file| file.metadata().map(|meta| (file, meta.len()))) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(source).context("open", || path.to_owned()),
    }
}
