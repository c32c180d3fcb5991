// SPDX-License-Identifier: Apache-2.0
//! What an engine uses: the store, and a source for what it lacks.

use crate::{
    exchange::FetchError,
    store::{Store, StoreError},
};
use agorai_primitives::BlobId;
use async_trait::async_trait;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Where blobs come from that the store lacks.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Brings the blob into the store, or says why not.
    async fn obtain(&self, blob: BlobId) -> Result<(), FetchError>;
}

/// A source that has nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl Source for Nowhere {
    async fn obtain(&self, blob: BlobId) -> Result<(), FetchError> {
        Err(FetchError::Nowhere(blob))
    }
}

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub enum BlobsError {
    /// The disk or a limit said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Blobs, wherever they are. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<Store>,
    source: Arc<dyn Source>,
    handle: Handle,
}

impl Blobs {
    /// Blobs of a store, and from a source what the store lacks.
    pub fn new(store: Arc<Store>, source: Arc<dyn Source>, handle: Handle) -> Self {
        Self { store, source, handle }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The bytes of a blob, verified; fetched where the store lacks it. A copy that the disk has damaged
    /// is fetched again.
    pub async fn get(&self, blob: BlobId) -> Result<Vec<u8>, BlobsError> {
        if let Some(bytes) = self.read(blob).await? {
            return Ok(bytes);
        }
        self.source.obtain(blob).await?;
        let bytes = self.read(blob).await?;
        bytes.ok_or(BlobsError::Store(StoreError::Damaged(blob)))
    }

    /// As [`Self::get`], for threads that may block. Not for use inside an async runtime.
    pub fn get_blocking(&self, blob: BlobId) -> Result<Vec<u8>, BlobsError> {
        if let Some(bytes) = self.store.get(&blob)? {
            return Ok(bytes);
        }
        self.handle.block_on(self.source.obtain(blob))?;
        let bytes = self.store.get(&blob)?;
        bytes.ok_or(BlobsError::Store(StoreError::Damaged(blob)))
    }

    /// Sees to it that the store has the blob, without reading it.
    pub async fn obtain(&self, blob: BlobId) -> Result<(), BlobsError> {
        if !self.store.has(&blob) {
            self.source.obtain(blob).await?;
        }
        Ok(())
    }

    /// Keeps bytes; they are served to others.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        self.store.put(bytes)
    }

    /// Forgets a blob.
    pub fn delete(&self, blob: &BlobId) -> Result<bool, StoreError> {
        self.store.delete(blob)
    }

    async fn read(&self, blob: BlobId) -> Result<Option<Vec<u8>>, BlobsError> {
        let store = self.store.clone();
        let read = self.handle.spawn_blocking(move || store.get(&blob));
        Ok(read.await.map_err(|_| FetchError::Interrupted(blob))??)
    }
}
