// SPDX-License-Identifier: Apache-2.0
//! Blobs on disk.
//!
//! ```text
//! blobs/ab/cd/<name>        complete blobs: written elsewhere, synced, then renamed
//! blobs/ab/cd/<name>.tree   their outboards (chunk.rs)
//! partial/<name>.{data,have} blobs that are being fetched: the bytes, and which chunks are verified
//! tmp/<process>/            files that are being written; removed once their process is gone
//! aside/<name>.<time>       blobs that did not hash to their name: kept for a look, the newest few
//! ```
//!
//! Several processes may share a folder (node and worker). Whatever is read is hashed before it is
//! handed out: a damaged blob is set aside and counts as missing. A kill at any moment leaves nothing
//! under `blobs/` that was not complete.

mod folder;
mod partial;
#[cfg(test)]
mod tests;
mod usage;

pub use partial::Partial;

use crate::chunk;
use agorai_primitives::BlobId;
use folder::{Doing, Workshop};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};
use usage::Usage;

/// Damaged blobs that are kept for a look.
const ASIDE_KEPT: usize = 8;

/// How much a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one blob.
    pub blob_bytes: u64,
    /// Most bytes of all blobs together, partial ones included.
    pub total_bytes: u64,
}

impl Default for Limits {
    /// 256 MiB a blob, 64 GiB in all.
    fn default() -> Self {
        Self {
            blob_bytes: 256 << 20,
            total_bytes: 64 << 30,
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The blob is larger than this store takes.
    #[error("a blob of {bytes} bytes is refused: this store takes {most} at most")]
    BlobTooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The store is full.
    #[error("the store is full: {needed} bytes do not fit beside {used} of {quota}")]
    Full {
        /// Bytes to be added.
        needed: u64,
        /// Bytes in it.
        used: u64,
        /// The limit.
        quota: u64,
    },
    /// Somebody else is fetching the same blob into the same folder.
    #[error("blob {0} is being fetched by another process")]
    InUse(BlobId),
    /// The chunks were verified, but the file does not hash to the name: the disk damaged it.
    #[error("blob {0} was damaged on disk while it was fetched")]
    Damaged(BlobId),
    /// The disk said no.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { ref source, .. } => io::Error::new(source.kind(), error),
            other => io::Error::other(other),
        }
    }
}

/// A slice of a stored blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Bytes of the whole blob.
    pub size: u64,
    /// Place of the chunk.
    pub index: u64,
    /// Chunk and proof.
    pub bytes: Vec<u8>,
}

/// Blobs on disk, see the [module](self).
pub struct Store {
    root: PathBuf,
    limits: Limits,
    workshop: Workshop,
    usage: Usage,
}

impl Store {
    /// Opens the store in a folder, which is made if it is not there; clears away what processes that
    /// are gone left half-written.
    pub fn open(root: impl Into<PathBuf>, limits: Limits) -> Result<Self, StoreError> {
        let root = root.into();
        for name in ["blobs", "partial", "tmp", "aside"] {
            folder::make(&root.join(name))?;
        }
        let workshop = Workshop::open(&root)?;
        partial::remove_stale(&root.join("partial"));
        let usage = Usage::new(vec![root.join("blobs"), root.join("partial")]);
        Ok(Self {
            root,
            limits,
            workshop,
            usage,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes kept, by the latest count (other processes' changes show within a minute).
    pub fn used(&self) -> u64 {
        self.usage.bytes()
    }

    /// Keeps bytes under their name. Keeping them again changes nothing, or repairs a damaged copy.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        let size = bytes.len() as u64;
        self.check_size(size)?;
        let (id, outboard) = chunk::hash(bytes, size).doing("hash a blob for", || self.root.clone())?;
        if self.get(&id)?.is_some() {
            return Ok(id);
        }
        self.reserve(size)?;
        let written = self.workshop.write(|file| file.write_all(bytes));
        let placed = written.and_then(|temporary| self.place(&id, &temporary, &outboard));
        if placed.is_err() {
            self.usage.release(size);
        }
        placed.map(|()| id)
    }

    /// The bytes of a blob, verified, or `None` where the store lacks it.
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
                .doing("read", || path.clone())?;
            if BlobId::of(&bytes) == *id {
                return Ok(Some(bytes));
            }
        }
        self.set_aside(id, size)?;
        Ok(None)
    }

    /// A chunk of a blob with its proof, verified, or `None` where the store lacks the blob or the blob
    /// has no such chunk. `None` as `index` asks for the last chunk.
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
        // The outboard or the blob is damaged; only the blob's own hash tells which.
        let reader = BufReader::with_capacity(1 << 20, &file);
        match chunk::hash(reader, size) {
            Ok((actual, outboard)) if actual == *id => {
                self.place_outboard(id, &outboard)?;
                let bytes = chunk::encode(&file, id, size, outboard, index).doing("read", || path.clone())?;
                Ok(Some(Slice { size, index, bytes }))
            }
            Ok(_) => {
                self.set_aside(id, size)?;
                Ok(None)
            }
            Err(source) => Err(source).doing("read", || path),
        }
    }

    /// Whether there is a blob of this name (it is verified when it is read).
    pub fn has(&self, id: &BlobId) -> bool {
        self.path(id).is_file()
    }

    /// Forgets a blob; `false` where there was none.
    pub fn delete(&self, id: &BlobId) -> Result<bool, StoreError> {
        let path = self.path(id);
        let size = fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0);
        let existed = folder::remove(&path)?;
        folder::remove(&self.outboard_path(id))?;
        if existed {
            self.usage.release(size);
        }
        Ok(existed)
    }

    /// The names of all blobs, in no order.
    pub fn list(&self) -> Result<Vec<BlobId>, StoreError> {
        let mut names = Vec::new();
        for outer in folder::entries(&self.root.join("blobs"))? {
            for inner in folder::entries(&outer)? {
                for file in folder::entries(&inner)? {
                    let name = file.file_name().and_then(|name| name.to_str());
                    names.extend(name.and_then(|name| name.parse::<BlobId>().ok()));
                }
            }
        }
        Ok(names)
    }

    /// What an earlier fetch has left of a blob, if anything.
    pub fn resume(&self, id: &BlobId) -> Result<Option<Partial>, StoreError> {
        Partial::resume(&self.root.join("partial"), id)
    }

    /// A place for a blob that is to be fetched. The caller has verified `size`.
    pub fn begin(&self, id: &BlobId, size: u64) -> Result<Partial, StoreError> {
        self.check_size(size)?;
        self.reserve(size)?;
        let partial = Partial::begin(&self.root.join("partial"), id, size);
        if partial.is_err() {
            self.usage.release(size);
        }
        partial
    }

    /// Makes a fetched blob a blob like others.
    ///
    /// Errors: `Damaged` where it does not hash to its name; the partial file is then gone, and a new
    /// fetch starts from nothing.
    pub fn finish(&self, partial: Partial) -> Result<(), StoreError> {
        let (id, size) = (partial.id(), partial.size());
        let outboard = partial.hashed()?;
        let placed = match outboard {
            Some(outboard) => self.place(&id, partial.data_path(), &outboard),
            None => Err(StoreError::Damaged(id)),
        };
        if placed.is_err() {
            self.usage.release(size);
        }
        partial.remove();
        placed
    }

    fn check_size(&self, bytes: u64) -> Result<(), StoreError> {
        let most = self.limits.blob_bytes.min(chunk::SIZE_CEILING);
        if bytes > most {
            return Err(StoreError::BlobTooLarge { bytes, most });
        }
        Ok(())
    }

    fn reserve(&self, needed: u64) -> Result<(), StoreError> {
        let quota = self.limits.total_bytes;
        self.usage
            .reserve(needed, quota)
            .map_err(|used| StoreError::Full { needed, used, quota })
    }

    /// Moves a complete, synced file to its name. The outboard goes first.
    fn place(&self, id: &BlobId, file: &Path, outboard: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id);
        if let Some(parent) = path.parent() {
            folder::make(parent)?;
        }
        self.place_outboard(id, outboard)?;
        folder::rename(file, &path)
    }

    fn place_outboard(&self, id: &BlobId, outboard: &[u8]) -> Result<(), StoreError> {
        let temporary = self.workshop.write(|file| file.write_all(outboard))?;
        folder::rename(&temporary, &self.outboard_path(id))
    }

    fn set_aside(&self, id: &BlobId, size: u64) -> Result<(), StoreError> {
        log::warn!(target: "blobs", "blob {id} is damaged on disk: set aside");
        let aside = self.root.join("aside");
        folder::rename(&self.path(id), &aside.join(format!("{id}.{:020}", folder::now())))?;
        folder::remove(&self.outboard_path(id))?;
        self.usage.release(size);
        folder::keep_newest(&aside, ASIDE_KEPT)
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
        Err(source) => Err(source).doing("open", || path.to_owned()),
    }
}
