// SPDX-License-Identifier: Apache-2.0
//! The interface through which missing blobs are fetched.

use crate::store::StoreError;
use agorai_primitives::BlobId;
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};

/// Fetches blobs that the local store does not contain.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Fetches a blob into the local store.
    async fn fetch(&self, blob: BlobId) -> Result<(), FetchError>;
}

/// A source without blobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSource;

#[async_trait]
impl Source for NoSource {
    async fn fetch(&self, blob: BlobId) -> Result<(), FetchError> {
        Err(FetchError::NoSource(blob))
    }
}

/// Why a blob could not be fetched. Every message names the blob.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No peer served all chunks in time.
    #[error(
        "blob {blob} is unavailable: {fetched} of {} chunks fetched; of {asked} peers asked, {without} do not have it, \
         {unresponsive} did not respond and {corrupt} sent invalid data",
        chunks.map_or("an unknown number of".to_string(), |chunks| chunks.to_string())
    )]
    Unavailable {
        /// The blob.
        blob: BlobId,
        /// Chunks in the store.
        fetched: u64,
        /// Chunks of the blob, if its size is known.
        chunks: Option<u64>,
        /// Peers that were asked.
        asked: usize,
        /// Peers that answered that they do not have it.
        without: usize,
        /// Peers that did not respond.
        unresponsive: usize,
        /// Peers that sent invalid data.
        corrupt: usize,
    },
    /// The fetch exceeded its time limit. Verified chunks are kept for the next attempt.
    #[error("fetching blob {blob} took longer than {limit:?}")]
    TimedOut {
        /// The blob.
        blob: BlobId,
        /// The limit.
        limit: Duration,
    },
    /// The store failed.
    #[error("blob {blob}: {error}")]
    Store {
        /// The blob.
        blob: BlobId,
        /// The store's error.
        error: Arc<StoreError>,
    },
    /// The blob is not in the store, and there is no source to fetch it from.
    #[error("blob {0} is not in the store, and there is no source to fetch it from")]
    NoSource(BlobId),
    /// The node is shutting down.
    #[error("the fetch of blob {0} was interrupted")]
    Interrupted(BlobId),
}
