// SPDX-License-Identifier: Apache-2.0
//! Access to blobs by the hash that names them.

use agorai_primitives::BlobId;
use std::{collections::HashMap, io, sync::Mutex};

/// The error of [`BlobAccess::get`]: neither the store nor any peer returned the blob in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blob {0} is unavailable")]
pub struct Missing(pub BlobId);

/// A store of blobs. The methods run on the thread of a job and may block.
pub trait BlobAccess: Sync {
    /// Returns the bytes of a blob; blocks while peers are asked.
    fn get(&self, id: &BlobId) -> Result<Vec<u8>, Missing>;
    /// Stores bytes and serves them to peers. Returns the name of the blob.
    fn put(&self, bytes: &[u8]) -> io::Result<BlobId>;
    /// Deletes a blob; it is no error if there is none.
    fn delete(&self, id: &BlobId) -> io::Result<()>;
}

/// Returns the bytes of a blob if they match its name, so that a damaged store cannot make an honest validator claim a
/// wrong result.
pub(crate) fn fetch(blobs: &dyn BlobAccess, id: &BlobId) -> Result<Vec<u8>, Missing> {
    let bytes = blobs.get(id)?;
    if BlobId::of(&bytes) == *id {
        Ok(bytes)
    } else {
        Err(Missing(*id))
    }
}

/// A store of blobs in memory.
#[derive(Default, Debug)]
pub struct MemoryBlobs(Mutex<HashMap<BlobId, Vec<u8>>>);

impl MemoryBlobs {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<BlobId, Vec<u8>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl BlobAccess for MemoryBlobs {
    fn get(&self, id: &BlobId) -> Result<Vec<u8>, Missing> {
        self.map().get(id).cloned().ok_or(Missing(*id))
    }

    fn put(&self, bytes: &[u8]) -> io::Result<BlobId> {
        let id = BlobId::of(bytes);
        self.map().insert(id, bytes.to_vec());
        Ok(id)
    }

    fn delete(&self, id: &BlobId) -> io::Result<()> {
        self.map().remove(id);
        Ok(())
    }
}
