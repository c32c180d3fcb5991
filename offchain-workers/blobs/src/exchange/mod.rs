// SPDX-License-Identifier: Apache-2.0
//! Fetching a blob from peers, over any transport.
//!
//! The last chunk comes first, because it proves the size; then a few chunks are on their way at any
//! time, each from the peer with the least to do. A chunk is verified before it is kept. A peer that
//! sends anything else is set aside and reported; one that is silent or busy rests; a chunk that is late
//! is asked of another peer as well. What has been verified survives a restart.

mod peers;
mod run;
#[cfg(test)]
mod tests;

use crate::{
    blobs::Source,
    protocol::{Request, Response},
    store::{Store, StoreError},
};
use agorai_primitives::BlobId;
use async_trait::async_trait;
use futures::{
    future::{BoxFuture, Shared},
    FutureExt,
};
use parking_lot::Mutex;
use peers::Aside;
use sc_network_types::PeerId;
use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Arc,
    },
    time::Duration,
};
use tokio::{runtime::Handle, sync::Semaphore};

/// How requests reach peers.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The peers that can be asked now.
    async fn peers(&self) -> Vec<PeerId>;

    /// Asks one peer.
    async fn request(&self, peer: PeerId, request: Request) -> Result<Response, NoAnswer>;

    /// This peer sent something else than it was asked for.
    fn report(&self, peer: PeerId);
}

/// Why a peer's answer is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It did not answer, or the connection broke.
    #[error("no answer")]
    Silent,
    /// It answered with something that is no message of the protocol.
    #[error("not a message")]
    Malformed,
}

/// How a fetch goes about it.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Chunks of one blob on their way at a time.
    pub in_flight: usize,
    /// Blobs fetched at a time.
    pub blobs: usize,
    /// How long one request may take.
    pub request: Duration,
    /// After this long without an answer a chunk is asked of another peer as well.
    pub late: Duration,
    /// How long without a new chunk before the blob counts as unavailable.
    pub patience: Duration,
    /// The same while no peer says to have it.
    pub absent: Duration,
    /// How long one blob may take.
    pub total: Duration,
    /// How long a silent or busy peer rests, and how often peers are looked up while none can be asked.
    pub rest: Duration,
    /// How long a peer that sent wrong bytes is asked nothing.
    pub aside: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            in_flight: 4,
            blobs: 4,
            request: Duration::from_secs(15),
            late: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            absent: Duration::from_secs(6),
            total: Duration::from_secs(600),
            rest: Duration::from_millis(500),
            aside: Duration::from_secs(600),
        }
    }
}

/// Why a blob could not be fetched. Every message names the blob.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No peer had it in time.
    #[error(
        "blob {blob} cannot be had: {have} of {} chunks after asking {asked} peers, of which {without} have it \
         not, {silent} were silent and {corrupt} sent something else",
        chunks.map_or("unknown".to_string(), |chunks| chunks.to_string())
    )]
    Unavailable {
        /// The blob.
        blob: BlobId,
        /// Chunks that are there.
        have: u64,
        /// Chunks of the blob, if its size is known.
        chunks: Option<u64>,
        /// Peers that were asked.
        asked: usize,
        /// Peers that have it not.
        without: usize,
        /// Peers that did not answer.
        silent: usize,
        /// Peers that sent something else.
        corrupt: usize,
    },
    /// The whole fetch took too long; what is there stays for the next attempt.
    #[error("blob {blob} took longer than {limit:?}")]
    TimedOut {
        /// The blob.
        blob: BlobId,
        /// The limit.
        limit: Duration,
    },
    /// The store refused it.
    #[error("blob {blob}: {error}")]
    Store {
        /// The blob.
        blob: BlobId,
        /// What the store said.
        error: Arc<StoreError>,
    },
    /// There is nobody to ask.
    #[error("blob {0} is not here, and there is nobody to ask")]
    Nowhere(BlobId),
    /// The node is shutting down.
    #[error("the fetch of blob {0} was interrupted")]
    Interrupted(BlobId),
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes of the blob; 0 until known.
    pub size: u64,
    /// Verified bytes (to a chunk).
    pub have: u64,
}

#[derive(Default)]
struct Counter {
    size: AtomicU64,
    have: AtomicU64,
}

type Outcome = Shared<BoxFuture<'static, Result<(), FetchError>>>;

/// Fetches blobs from peers into a store. Two callers that want the same blob share one fetch.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    transport: Arc<dyn Transport>,
    limits: FetchLimits,
    handle: Handle,
    active: Mutex<HashMap<BlobId, (Outcome, Arc<Counter>)>>,
    slots: Semaphore,
    aside: Aside,
}

impl Fetcher {
    /// A fetcher whose fetches run on `handle`.
    pub fn new(store: Arc<Store>, transport: Arc<dyn Transport>, limits: FetchLimits, handle: Handle) -> Self {
        Self(Arc::new(Inner {
            store,
            transport,
            limits,
            handle,
            active: Mutex::default(),
            slots: Semaphore::new(limits.blobs.max(1)),
            aside: Aside::new(limits.aside),
        }))
    }

    /// Fetches a blob into the store. It goes on if the caller stops waiting.
    pub async fn fetch(&self, blob: BlobId) -> Result<(), FetchError> {
        if self.0.store.has(&blob) {
            return Ok(());
        }
        self.join(blob).await
    }

    /// How far the fetch of a blob is, if one is under way.
    pub fn progress(&self, blob: &BlobId) -> Option<FetchProgress> {
        let active = self.0.active.lock();
        active.get(blob).map(|(_, counter)| FetchProgress {
            size: counter.size.load(Relaxed),
            have: counter.have.load(Relaxed),
        })
    }

    fn join(&self, blob: BlobId) -> Outcome {
        let mut active = self.0.active.lock();
        if let Some((outcome, _)) = active.get(&blob) {
            return outcome.clone();
        }
        let counter = Arc::new(Counter::default());
        let task = self.0.handle.spawn({
            let (inner, counter) = (self.0.clone(), counter.clone());
            async move {
                let result = inner.fetch(blob, &counter).await;
                if let Err(error) = &result {
                    log::debug!(target: "blobs", "{error}");
                }
                inner.active.lock().remove(&blob);
                result
            }
        });
        let inner = self.0.clone();
        let outcome = async move {
            task.await.unwrap_or_else(|_| {
                // Cancelled with the runtime, or a panic: either way nobody would clean up.
                inner.active.lock().remove(&blob);
                Err(FetchError::Interrupted(blob))
            })
        }
        .boxed()
        .shared();
        active.insert(blob, (outcome.clone(), counter));
        outcome
    }
}

#[async_trait]
impl Source for Fetcher {
    async fn obtain(&self, blob: BlobId) -> Result<(), FetchError> {
        self.fetch(blob).await
    }
}

impl Inner {
    async fn fetch(&self, blob: BlobId, counter: &Counter) -> Result<(), FetchError> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(FetchError::Interrupted(blob));
        };
        let limit = self.limits.total;
        tokio::time::timeout(limit, self.run(blob, counter))
            .await
            .unwrap_or(Err(FetchError::TimedOut { blob, limit }))
    }
}
