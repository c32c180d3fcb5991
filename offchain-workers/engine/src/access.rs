// SPDX-License-Identifier: Apache-2.0
//! How the engine reaches blobs: by name, without knowing where they are kept.

use agorai_primitives::BlobId;
use std::{collections::HashMap, io, sync::Mutex};

/// Why [`BlobAccess::get`] has no bytes: no peer had them in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blob {0} cannot be had from any peer")]
pub struct Missing(pub BlobId);

/// A store of blobs. `get` may block while peers are asked; it runs on the job's own thread.
pub trait BlobAccess: Sync {
    /// The bytes of a blob.
    fn get(&self, id: &BlobId) -> Result<Vec<u8>, Missing>;
    /// Keeps bytes and serves them to others.
    fn put(&self, bytes: &[u8]) -> io::Result<BlobId>;
    /// Forgets a blob; forgetting one that is not there is no error.
    fn delete(&self, id: &BlobId) -> io::Result<()>;
}

/// The bytes of a blob, checked against its name, so that a damaged store cannot make an honest
/// validator claim a wrong result.
pub(crate) fn fetch(blobs: &dyn BlobAccess, id: &BlobId) -> Result<Vec<u8>, Missing> {
    let bytes = blobs.get(id)?;
    if BlobId::of(&bytes) == *id {
        Ok(bytes)
    } else {
        Err(Missing(*id))
    }
}

/// Blobs in memory.
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
