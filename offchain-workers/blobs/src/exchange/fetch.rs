// SPDX-License-Identifier: Apache-2.0
//! The fetch of one blob.

use super::{
    limits::FetchLimits,
    peers::{BannedPeers, PeerCounts, Peers, RequestOutcome},
    transport::{RequestError, Transport},
};
use crate::{
    chunk,
    protocol::{ChunkSelector, Request, Response},
    source::FetchError,
    store::{PartialBlob, Store, StoreError},
};
use agorai_primitives::BlobId;
use futures::{future::BoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use sc_network_types::PeerId;
use std::{collections::VecDeque, sync::Arc, time::Instant};
use tokio::runtime::Handle;

/// The components that all fetches share.
pub struct Context {
    pub store: Arc<Store>,
    pub transport: Arc<dyn Transport>,
    pub limits: FetchLimits,
    pub handle: Handle,
    pub banned: BannedPeers,
}

/// A verified chunk of a blob of `size` bytes.
struct Chunk {
    size: u64,
    index: u32,
    bytes: Vec<u8>,
}

/// The result of one request.
struct Reply {
    peer: PeerId,
    selector: ChunkSelector,
    result: Result<Chunk, RequestOutcome>,
}

/// A requested chunk and the peers that were asked for it.
struct InFlight {
    selector: ChunkSelector,
    peers: Vec<PeerId>,
    last_request: Instant,
}

struct Fetch<'a> {
    context: &'a Context,
    blob: BlobId,
    size: Option<u64>,
    peers: Peers,
    /// Chunks that are not requested yet.
    pending: VecDeque<ChunkSelector>,
    in_flight: Vec<InFlight>,
    replies: FuturesUnordered<BoxFuture<'static, Reply>>,
    last_chunk: Instant,
}

/// Fetches a blob into the store of `context`.
pub async fn fetch(context: &Context, blob: BlobId) -> Result<(), FetchError> {
    let mut fetch = Fetch {
        context,
        blob,
        size: None,
        peers: Peers::default(),
        pending: VecDeque::new(),
        in_flight: Vec::new(),
        replies: FuturesUnordered::new(),
        last_chunk: Instant::now(),
    };
    fetch.peers.refresh(context.transport.as_ref()).await;
    let resumed = context.on_disk(blob, move |store| store.resume_partial(&blob)).await?;
    let mut partial = match resumed {
        Some(partial) => partial,
        None => {
            fetch.pending.push_back(ChunkSelector::Last);
            let last = fetch.next(0).await?;
            let created = context.on_disk(blob, move |store| store.create_partial(&blob, last.size));
            let partial = created.await?;
            context.write(partial, last).await?
        }
    };
    let size = partial.size();
    fetch.size = Some(size);
    fetch.pending = partial.missing().into_iter().map(ChunkSelector::At).collect();
    fetch.in_flight.clear();
    // Further replies to the first request are not needed.
    fetch.replies.clear();
    loop {
        let missing = partial.missing().len() as u64;
        if missing == 0 {
            break;
        }
        let fetched = chunk::count(size) - missing;
        let chunk = fetch.next(fetched).await?;
        if !partial.has(chunk.index) {
            partial = context.write(partial, chunk).await?;
        }
    }
    context.on_disk(blob, move |store| store.complete(partial)).await
}

impl Context {
    async fn write(&self, mut partial: PartialBlob, chunk: Chunk) -> Result<PartialBlob, FetchError> {
        let blob = partial.id();
        self.on_disk(blob, move |_| {
            partial.write(chunk.index, &chunk.bytes)?;
            Ok(partial)
        })
        .await
    }

    /// Runs disk operations on a thread that may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        blob: BlobId,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FetchError> {
        let store = self.store.clone();
        let done = self.handle.spawn_blocking(move || work(&store)).await;
        done.map_err(|_| FetchError::Interrupted(blob))?
            .map_err(|error| FetchError::Store {
                blob,
                error: Arc::new(error),
            })
    }
}

impl Fetch<'_> {
    /// Returns the next verified chunk; `fetched` chunks are in the store already.
    async fn next(&mut self, fetched: u64) -> Result<Chunk, FetchError> {
        loop {
            self.send_requests();
            let limits = &self.context.limits;
            let left = limits.stall_timeout.saturating_sub(self.last_chunk.elapsed());
            if left.is_zero() {
                return Err(self.unavailable(fetched));
            }
            if self.replies.is_empty() {
                let absent = !self.peers.any_candidate(&self.context.banned);
                if absent && self.last_chunk.elapsed() >= limits.absent_timeout {
                    return Err(self.unavailable(fetched));
                }
                tokio::time::sleep(limits.backoff.min(left)).await;
                self.peers.refresh(self.context.transport.as_ref()).await;
                continue;
            }
            // Wakes up regularly to hedge late chunks, to ask paused peers again and to detect a stall.
            let pause = limits.backoff.min(left);
            let Ok(Some(reply)) = tokio::time::timeout(pause, self.replies.next()).await else {
                if !self.pending.is_empty() {
                    self.peers.refresh(self.context.transport.as_ref()).await;
                }
                continue;
            };
            if let Some(chunk) = self.handle_reply(reply) {
                return Ok(chunk);
            }
        }
    }

    /// Requests pending chunks up to the limit of chunks in flight, and late ones from another peer as well.
    fn send_requests(&mut self) {
        let limits = &self.context.limits;
        while self.in_flight.len() < limits.chunks_in_flight.max(1) {
            let Some(selector) = self.pending.pop_front() else {
                break;
            };
            let Some(peer) = self.peers.select(&self.context.banned, &[]) else {
                self.pending.push_front(selector);
                break;
            };
            self.in_flight.push(InFlight {
                selector,
                peers: vec![peer],
                last_request: Instant::now(),
            });
            self.send(peer, selector);
        }
        let late: Vec<usize> = (0..self.in_flight.len())
            .filter(|at| self.in_flight[*at].last_request.elapsed() >= limits.hedge_after)
            .collect();
        for at in late {
            let selector = self.in_flight[at].selector;
            let other = self.peers.select(&self.context.banned, &self.in_flight[at].peers);
            if let Some(peer) = other {
                self.in_flight[at].peers.push(peer);
                self.in_flight[at].last_request = Instant::now();
                self.send(peer, selector);
            }
        }
    }

    fn send(&self, peer: PeerId, selector: ChunkSelector) {
        let (blob, size) = (self.blob, self.size);
        let (transport, limit) = (self.context.transport.clone(), self.context.limits.request_timeout);
        let reply = async move {
            let response = transport.request(peer, Request { blob, selector });
            let result = match tokio::time::timeout(limit, response).await {
                Ok(Ok(Response::Chunk { size: claimed, slice })) => verify(&blob, size, selector, claimed, &slice),
                Ok(Ok(Response::Missing)) => Err(RequestOutcome::Missing),
                Ok(Ok(Response::Busy)) => Err(RequestOutcome::Busy),
                Ok(Err(RequestError::Malformed)) => Err(RequestOutcome::Corrupt),
                Ok(Err(RequestError::NoResponse)) | Err(_) => Err(RequestOutcome::NoResponse),
            };
            Reply { peer, selector, result }
        };
        self.replies.push(reply.boxed());
    }

    /// Records a reply and returns its chunk, if any. A chunk without one returns to the pending chunks unless another
    /// peer was asked for it too.
    fn handle_reply(&mut self, reply: Reply) -> Option<Chunk> {
        let Reply { peer, selector, result } = reply;
        let outcome = result.as_ref().err().copied().unwrap_or(RequestOutcome::Served);
        self.peers.record(peer, outcome, self.context.limits.backoff);
        if outcome == RequestOutcome::Corrupt {
            log::warn!(target: "blobs", "peer {peer} sent invalid data for blob {}", self.blob);
            self.context.banned.insert(peer);
            self.context.transport.report(peer);
        }
        let at = self.in_flight.iter().position(|chunk| chunk.selector == selector);
        match (result, at) {
            (Ok(chunk), at) => {
                if let Some(at) = at {
                    self.in_flight.swap_remove(at);
                }
                self.last_chunk = Instant::now();
                Some(chunk)
            }
            (Err(_), Some(at)) => {
                let chunk = &mut self.in_flight[at];
                chunk.peers.retain(|asked| *asked != peer);
                if chunk.peers.is_empty() {
                    self.in_flight.swap_remove(at);
                    self.pending.push_front(selector);
                }
                None
            }
            (Err(_), None) => None,
        }
    }

    fn unavailable(&self, fetched: u64) -> FetchError {
        let PeerCounts {
            asked,
            without,
            unresponsive,
            corrupt,
        } = self.peers.counts();
        FetchError::Unavailable {
            blob: self.blob,
            fetched,
            chunks: self.size.map(chunk::count),
            asked,
            without,
            unresponsive,
            corrupt,
        }
    }
}

/// Verifies a response. If the blob's size is known, the claimed size must equal it.
fn verify(
    blob: &BlobId,
    size: Option<u64>,
    selector: ChunkSelector,
    claimed: u64,
    slice: &[u8],
) -> Result<Chunk, RequestOutcome> {
    if size.is_some_and(|size| size != claimed) {
        return Err(RequestOutcome::Corrupt);
    }
    let index = match selector {
        ChunkSelector::Last => u32::try_from(chunk::count(claimed) - 1).map_err(|_| RequestOutcome::Corrupt)?,
        ChunkSelector::At(index) => index,
    };
    match chunk::verify(blob, claimed, u64::from(index), slice) {
        Ok(bytes) => Ok(Chunk {
            size: claimed,
            index,
            bytes,
        }),
        Err(_) => Err(RequestOutcome::Corrupt),
    }
}
