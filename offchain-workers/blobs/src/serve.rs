// SPDX-License-Identifier: Apache-2.0
//! Serves chunks to peers, with a rate limit per peer.

use crate::{
    chunk,
    protocol::{ChunkSelector, Request, Response},
    store::Store,
};
use parking_lot::Mutex;
use sc_network_types::PeerId;
use std::{collections::HashMap, sync::Arc, time::Instant};

/// Maximum number of peers whose rate is tracked.
const MAX_TRACKED_PEERS: usize = 1024;

/// Rate limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Sustained rate per peer, in chunks per second.
    pub chunks_per_second: u32,
    /// Maximum number of chunks that a peer may request in a burst.
    pub burst: u32,
}

impl Default for ServeLimits {
    /// 64 MiB per second and peer, with a burst of 128 MiB.
    fn default() -> Self {
        Self {
            chunks_per_second: 64,
            burst: 128,
        }
    }
}

/// Answers the requests of peers.
pub trait Responder: Send + Sync + 'static {
    /// Answers one request of `peer`. May block on disk reads.
    fn respond(&self, peer: PeerId, request: Request) -> Response;
}

/// Serves the chunks of a store.
pub struct Server {
    store: Arc<Store>,
    limits: ServeLimits,
    buckets: Mutex<HashMap<PeerId, Bucket>>,
}

/// A token bucket; one token is one chunk.
struct Bucket {
    tokens: f64,
    updated: Instant,
}

impl Server {
    /// Returns a server of the chunks in `store`.
    pub fn new(store: Arc<Store>, limits: ServeLimits) -> Self {
        Self {
            store,
            limits,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token from the bucket of `peer`. Returns `false` if it has none.
    fn admit(&self, peer: PeerId, now: Instant) -> bool {
        let (rate, burst) = (
            f64::from(self.limits.chunks_per_second),
            f64::from(self.limits.burst.max(1)),
        );
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MAX_TRACKED_PEERS && !buckets.contains_key(&peer) {
            // The bucket that was updated first is full, or nearly so, and can be recreated without loss.
            let idle = buckets.iter().min_by_key(|(_, bucket)| bucket.updated);
            if let Some(idle) = idle.map(|(peer, _)| *peer) {
                buckets.remove(&idle);
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket {
            tokens: burst,
            updated: now,
        });
        let elapsed = now.saturating_duration_since(bucket.updated).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * rate).min(burst);
        bucket.updated = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

impl Responder for Server {
    fn respond(&self, peer: PeerId, request: Request) -> Response {
        if !self.admit(peer, Instant::now()) {
            return Response::Busy;
        }
        let index = match request.selector {
            ChunkSelector::Last => None,
            ChunkSelector::At(index) => Some(u64::from(index)),
        };
        match self.store.slice(&request.blob, index) {
            Ok(Some(found)) => Response::Chunk {
                size: found.size,
                slice: found.bytes,
            },
            Ok(None) => Response::Missing,
            Err(error) => {
                log::warn!(target: "blobs", "cannot serve blob {}: {error}", request.blob);
                Response::Missing
            }
        }
    }
}

// Every response fits into the protocol's limit.
const _: () = assert!(chunk::MAX_SLICE < crate::protocol::MAX_RESPONSE as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreLimits;
    use agorai_primitives::BlobId;
    use std::time::Duration;

    fn server(limits: ServeLimits) -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
        (folder, Server::new(store, limits))
    }

    #[test]
    fn unknown_blob_and_chunk_beyond_the_end_are_reported_missing() {
        let (_folder, server) = server(ServeLimits::default());
        let peer = PeerId::random();
        let blob = server.store.put(b"here").unwrap();
        let ask = |blob, selector| server.respond(peer, Request { blob, selector });
        assert_eq!(ask(BlobId::of(b"gone"), ChunkSelector::Last), Response::Missing);
        assert_eq!(ask(blob, ChunkSelector::At(1)), Response::Missing);
        assert_eq!(ask(blob, ChunkSelector::Last), ask(blob, ChunkSelector::At(0)));
    }

    #[test]
    fn peer_above_its_rate_limit_is_refused_and_others_are_not() {
        let limits = ServeLimits {
            chunks_per_second: 10,
            burst: 3,
        };
        let (_folder, server) = server(limits);
        let (greedy, other, now) = (PeerId::random(), PeerId::random(), Instant::now());
        let admitted = (0..10).filter(|_| server.admit(greedy, now)).count();
        assert_eq!(admitted, 3);
        assert!(server.admit(other, now));
        let later = now + Duration::from_millis(150);
        assert!(server.admit(greedy, later));
        assert!(!server.admit(greedy, later));
    }

    #[test]
    fn number_of_tracked_peers_is_bounded() {
        let (_folder, server) = server(ServeLimits::default());
        for _ in 0..MAX_TRACKED_PEERS + 50 {
            server.admit(PeerId::random(), Instant::now());
        }
        assert_eq!(server.buckets.lock().len(), MAX_TRACKED_PEERS);
    }

    #[test]
    fn served_chunk_does_not_verify_after_a_bit_is_flipped() {
        let (_folder, server) = server(ServeLimits::default());
        let blob = server.store.put(b"truth").unwrap();
        let selector = ChunkSelector::Last;
        match server.respond(PeerId::random(), Request { blob, selector }) {
            Response::Chunk { size, mut slice } => {
                assert!(chunk::verify(&blob, size, 0, &slice).is_ok());
                *slice.last_mut().unwrap() ^= 1;
                assert!(chunk::verify(&blob, size, 0, &slice).is_err());
            }
            other => panic!("{other:?}"),
        }
    }
}
