// SPDX-License-Identifier: Apache-2.0
//! Read access to all blobs: the local store, and a source for blobs that it does not contain.

use crate::{
    source::{FetchError, Source},
    store::{Store, StoreError},
};
use agorai_primitives::BlobId;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Why a blob could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobsError {
    /// The store failed or refused the blob.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// The blobs of a store, completed from a source. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<Store>,
    source: Arc<dyn Source>,
    handle: Handle,
}

impl Blobs {
    /// Combines a store with a source. Fetches and disk reads run on `handle`.
    pub fn new(store: Arc<Store>, source: Arc<dyn Source>, handle: Handle) -> Self {
        Self { store, source, handle }
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Returns the verified bytes of a blob. A blob that is missing or damaged on disk is fetched first.
    pub async fn get(&self, blob: BlobId) -> Result<Vec<u8>, BlobsError> {
        if let Some(bytes) = self.read(blob).await? {
            return Ok(bytes);
        }
        self.source.fetch(blob).await?;
        let bytes = self.read(blob).await?;
        bytes.ok_or(BlobsError::Store(StoreError::Damaged(blob)))
    }

    /// As [`Self::get`], for threads that may block. Must not be called inside an async runtime.
    pub fn get_blocking(&self, blob: BlobId) -> Result<Vec<u8>, BlobsError> {
        if let Some(bytes) = self.store.get(&blob)? {
            return Ok(bytes);
        }
        self.handle.block_on(self.source.fetch(blob))?;
        let bytes = self.store.get(&blob)?;
        bytes.ok_or(BlobsError::Store(StoreError::Damaged(blob)))
    }

    /// Fetches a blob into the store unless the store contains it. Does not read or verify a stored copy.
    pub async fn ensure(&self, blob: BlobId) -> Result<(), BlobsError> {
        if !self.store.has(&blob) {
            self.source.fetch(blob).await?;
        }
        Ok(())
    }

    /// Stores bytes and returns their id. Peers can fetch them from then on.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        self.store.put(bytes)
    }

    /// Deletes a blob. Returns `false` if the store did not contain it.
    pub fn delete(&self, blob: &BlobId) -> Result<bool, StoreError> {
        self.store.delete(blob)
    }

    async fn read(&self, blob: BlobId) -> Result<Option<Vec<u8>>, BlobsError> {
        let store = self.store.clone();
        let read = self.handle.spawn_blocking(move || store.get(&blob));
        Ok(read.await.map_err(|_| FetchError::Interrupted(blob))??)
    }
}
