// SPDX-License-Identifier: Apache-2.0
//! All fetches of a node.

use super::{
    fetch::{fetch, Context},
    limits::FetchLimits,
    peers::BannedPeers,
    transport::Transport,
};
use crate::{
    source::{FetchError, Source},
    store::Store,
};
use agorai_primitives::BlobId;
use async_trait::async_trait;
use futures::{
    future::{BoxFuture, Shared},
    FutureExt,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::{runtime::Handle, sync::Semaphore};

type FetchResult = Shared<BoxFuture<'static, Result<(), FetchError>>>;

/// Fetches blobs from peers into a store. Concurrent calls for the same blob share one fetch.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    context: Context,
    active: Mutex<HashMap<BlobId, FetchResult>>,
    slots: Semaphore,
}

impl Fetcher {
    /// Creates a fetcher whose fetches run on `handle`.
    pub fn new(store: Arc<Store>, transport: Arc<dyn Transport>, limits: FetchLimits, handle: Handle) -> Self {
        Self(Arc::new(Inner {
            active: Mutex::default(),
            slots: Semaphore::new(limits.concurrent_blobs.max(1)),
            context: Context {
                store,
                transport,
                limits,
                handle,
                banned: BannedPeers::new(limits.ban),
            },
        }))
    }

    /// Returns the result of the active fetch of a blob, which is started if there is none.
    fn join(&self, blob: BlobId) -> FetchResult {
        let mut active = self.0.active.lock();
        if let Some(result) = active.get(&blob) {
            return result.clone();
        }
        let task = self.0.context.handle.spawn({
            let inner = self.0.clone();
            async move {
                let result = inner.run(blob).await;
                if let Err(error) = &result {
                    log::debug!(target: "blobs", "{error}");
                }
                inner.active.lock().remove(&blob);
                result
            }
        });
        let inner = self.0.clone();
        let result = async move {
            task.await.unwrap_or_else(|_| {
                // The task was cancelled with the runtime or panicked, and did not remove its entry.
                inner.active.lock().remove(&blob);
                Err(FetchError::Interrupted(blob))
            })
        }
        .boxed()
        .shared();
        active.insert(blob, result.clone());
        result
    }
}

#[async_trait]
impl Source for Fetcher {
    /// Fetches a blob into the store. The fetch continues if the caller drops the future.
    async fn fetch(&self, blob: BlobId) -> Result<(), FetchError> {
        if self.0.context.store.has(&blob) {
            return Ok(());
        }
        self.join(blob).await
    }
}

impl Inner {
    async fn run(&self, blob: BlobId) -> Result<(), FetchError> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(FetchError::Interrupted(blob));
        };
        let limit = self.context.limits.total_timeout;
        tokio::time::timeout(limit, fetch(&self.context, blob))
            .await
            .unwrap_or(Err(FetchError::TimedOut { blob, limit }))
    }
}
