// SPDX-License-Identifier: GPL-3.0-only
//! The blobs that jobs of a worker process wait for.

use crate::wire::MAX_BLOBS;
use agorai_blobs::{FetchError, Source, Store};
use agorai_primitives::BlobId;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Interval at which the store is checked for a missing blob.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The source of blobs in a worker process: the node learns which blobs are missing and fetches them into the store
/// that both share.
pub struct MissingBlobs {
    store: Arc<Store>,
    timeout: Duration,
    /// Number of waiting jobs by blob.
    waiting: Mutex<BTreeMap<BlobId, usize>>,
}

impl MissingBlobs {
    /// Creates a source that waits at most `timeout` until a blob is in `store`.
    pub fn new(store: Arc<Store>, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            timeout,
            waiting: Mutex::default(),
        })
    }

    /// Returns the missing blobs, at most [`MAX_BLOBS`].
    pub fn list(&self) -> Vec<BlobId> {
        let waiting = self.waiting.lock();
        waiting.keys().copied().take(MAX_BLOBS).collect()
    }

    async fn wait_until_stored(&self, blob: BlobId) {
        while !self.store.has(&blob) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

#[async_trait]
impl Source for MissingBlobs {
    async fn fetch(&self, blob: BlobId) -> Result<(), FetchError> {
        *self.waiting.lock().entry(blob).or_default() += 1;
        let stored = tokio::time::timeout(self.timeout, self.wait_until_stored(blob)).await;
        let mut waiting = self.waiting.lock();
        if let Some(count) = waiting.get_mut(&blob) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&blob);
            }
        }
        stored.map_err(|_| FetchError::TimedOut {
            blob,
            limit: self.timeout,
        })
    }
}
