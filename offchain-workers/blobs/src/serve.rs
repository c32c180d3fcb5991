// SPDX-License-Identifier: Apache-2.0
//! Answering requests for chunks, within limits.

use crate::{
    chunk,
    protocol::{Request, Response, Which},
    store::Store,
};
use parking_lot::Mutex;
use sc_network_types::PeerId;
use std::{collections::HashMap, sync::Arc, time::Instant};

/// Most peers whose rate is remembered.
const MOST_PEERS: usize = 1024;

/// How much is served.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Chunks a second to one peer, in the long run.
    pub chunks_per_second: u32,
    /// Chunks to one peer at once.
    pub burst: u32,
}

impl Default for ServeLimits {
    /// 64 MiB a second to one peer, twice as much at once.
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

struct Bucket {
    tokens: f64,
    at: Instant,
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

    /// A bucket of tokens for every peer.
    fn admit(&self, peer: PeerId, now: Instant) -> bool {
        let (rate, burst) = (
            f64::from(self.limits.chunks_per_second),
            f64::from(self.limits.burst.max(1)),
        );
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST_PEERS && !buckets.contains_key(&peer) {
            // The peer that was served longest ago has a full bucket, or nearly so.
            let idle = buckets.iter().min_by_key(|(_, bucket)| bucket.at);
            if let Some(idle) = idle.map(|(peer, _)| *peer) {
                buckets.remove(&idle);
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket { tokens: burst, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * rate).min(burst);
        bucket.at = now;
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
        let index = match request.which {
            Which::Last => None,
            Which::At(index) => Some(u64::from(index)),
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

/// Every response fits the protocol.
const _: () = assert!(chunk::MAX_SLICE < crate::protocol::MAX_RESPONSE as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Limits;
    use agorai_primitives::BlobId;
    use std::time::Duration;

    fn server(limits: ServeLimits) -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), Limits::default()).unwrap());
        (folder, Server::new(store, limits))
    }

    #[test]
    fn missing_blob_and_chunk_beyond_the_end_are_said_to_be_missing() {
        let (_folder, server) = server(ServeLimits::default());
        let peer = PeerId::random();
        let blob = server.store.put(b"here").unwrap();
        let ask = |blob, which| server.respond(peer, Request { blob, which });
        assert_eq!(ask(BlobId::of(b"gone"), Which::Last), Response::Missing);
        assert_eq!(ask(blob, Which::At(1)), Response::Missing);
        assert_eq!(ask(blob, Which::Last), ask(blob, Which::At(0)));
    }

    #[test]
    fn peer_is_put_off_when_it_asks_too_much_and_others_are_not() {
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
    fn memory_of_peers_is_bounded() {
        let (_folder, server) = server(ServeLimits::default());
        for _ in 0..MOST_PEERS + 50 {
            server.admit(PeerId::random(), Instant::now());
        }
        assert_eq!(server.buckets.lock().len(), MOST_PEERS);
    }

    #[test]
    fn served_chunk_does_not_verify_after_a_bit_is_flipped() {
        let (_folder, server) = server(ServeLimits::default());
        let blob = server.store.put(b"truth").unwrap();
        let which = Which::Last;
        match server.respond(PeerId::random(), Request { blob, which }) {
            Response::Chunk { size, mut slice } => {
                assert!(chunk::verify(&blob, size, 0, &slice).is_ok());
                *slice.last_mut().unwrap() ^= 1;
                assert!(chunk::verify(&blob, size, 0, &slice).is_err());
            }
            other => panic!("{other:?}"),
        }
    }
}
