// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::{
    protocol::{ChunkSelector, Request, Response},
    serve::{Responder, ServeLimits, Server},
    Blobs, BlobsError, FetchError, Source, Store, StoreError, StoreLimits,
};
use agorai_primitives::{BlobId, CHUNK_BYTES};
use async_trait::async_trait;
use parking_lot::Mutex;
use sc_network_types::PeerId;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::runtime::Handle;

const MIB: usize = CHUNK_BYTES as usize;

enum Behaviour {
    Honest,
    /// Honest, but responds with this delay.
    Slow(Duration),
    Unresponsive,
    Malformed,
    /// Claims this size for every blob.
    WrongSize(u64),
    /// Flips a bit in every chunk.
    Corrupt,
}

struct FakePeer {
    id: PeerId,
    behaviour: Behaviour,
    server: Server,
    store: Arc<Store>,
    requests: Mutex<Vec<ChunkSelector>>,
    _folder: TempDir,
}

fn peer(behaviour: Behaviour) -> FakePeer {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
    FakePeer {
        id: PeerId::random(),
        behaviour,
        server: Server::new(store.clone(), ServeLimits::default()),
        store,
        requests: Mutex::default(),
        _folder: folder,
    }
}

#[derive(Default)]
struct FakeNetwork {
    peers: Vec<FakePeer>,
    reported: Mutex<Vec<PeerId>>,
}

#[async_trait]
impl Transport for FakeNetwork {
    async fn peers(&self) -> Vec<PeerId> {
        self.peers.iter().map(|peer| peer.id).collect()
    }

    async fn request(&self, id: PeerId, request: Request) -> Result<Response, RequestError> {
        let peer = self.peers.iter().find(|peer| peer.id == id).unwrap();
        peer.requests.lock().push(request.selector);
        match peer.behaviour {
            Behaviour::Unresponsive => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(RequestError::NoResponse)
            }
            Behaviour::Malformed => Err(RequestError::Malformed),
            Behaviour::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(peer.server.respond(id, request))
            }
            Behaviour::WrongSize(claimed) => Ok(match peer.server.respond(id, request) {
                Response::Chunk { slice, .. } => Response::Chunk { size: claimed, slice },
                other => other,
            }),
            Behaviour::Corrupt => Ok(match peer.server.respond(id, request) {
                Response::Chunk { size, mut slice } => {
                    *slice.last_mut().unwrap() ^= 1;
                    Response::Chunk { size, slice }
                }
                other => other,
            }),
            Behaviour::Honest => Ok(peer.server.respond(id, request)),
        }
    }

    fn report(&self, peer: PeerId) {
        self.reported.lock().push(peer);
    }
}

struct Setup {
    network: Arc<FakeNetwork>,
    store: Arc<Store>,
    fetcher: Fetcher,
    folder: TempDir,
}

fn short_limits() -> FetchLimits {
    FetchLimits {
        request_timeout: Duration::from_millis(2000),
        hedge_after: Duration::from_millis(100),
        stall_timeout: Duration::from_millis(1500),
        absent_timeout: Duration::from_millis(300),
        backoff: Duration::from_millis(30),
        ..FetchLimits::default()
    }
}

fn setup(behaviours: Vec<Behaviour>) -> Setup {
    let network = Arc::new(FakeNetwork {
        peers: behaviours.into_iter().map(peer).collect(),
        ..FakeNetwork::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
    let fetcher = Fetcher::new(store.clone(), network.clone(), short_limits(), Handle::current());
    Setup {
        network,
        store,
        fetcher,
        folder,
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 % 253) as u8).collect()
}

impl Setup {
    fn publish(&self, bytes: &[u8]) -> BlobId {
        for peer in &self.network.peers {
            peer.store.put(bytes).unwrap();
        }
        BlobId::of(bytes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_is_fetched_whole_from_several_peers() {
    let setup = setup(vec![Behaviour::Honest, Behaviour::Honest]);
    for size in [0, 5, MIB, 9 * MIB + 17] {
        let bytes = content(size);
        let blob = setup.publish(&bytes);
        setup.fetcher.fetch(blob).await.unwrap();
        assert_eq!(setup.store.get(&blob).unwrap(), Some(bytes));
    }
    for peer in &setup.network.peers {
        assert!(peer.requests.lock().len() > 2, "both peers are asked");
    }
    assert!(setup.network.reported.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_is_fetched_despite_corrupt_unresponsive_and_malformed_peers() {
    let setup = setup(vec![
        Behaviour::Corrupt,
        Behaviour::Unresponsive,
        Behaviour::WrongSize(1),
        Behaviour::WrongSize(u64::MAX),
        Behaviour::Malformed,
        Behaviour::Honest,
    ]);
    let bytes = content(8 * MIB + 1);
    let blob = setup.publish(&bytes);
    setup.fetcher.fetch(blob).await.unwrap();
    assert_eq!(setup.store.get(&blob).unwrap(), Some(bytes));
    let reported = setup.network.reported.lock().clone();
    for peer in &setup.network.peers {
        let times = reported.iter().filter(|id| **id == peer.id).count();
        match peer.behaviour {
            Behaviour::Honest | Behaviour::Unresponsive => assert_eq!(times, 0),
            _ => assert!(times <= 4, "no peer is asked again after it sent invalid data"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_peer_is_reported_and_not_asked_again() {
    let setup = setup(vec![Behaviour::Corrupt]);
    let blob = setup.publish(b"truth");
    let error = setup.fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(error, FetchError::Unavailable { corrupt: 1, .. }));
    assert_eq!(setup.network.reported.lock().len(), 1);
    let other = setup.publish(b"another truth");
    setup.fetcher.fetch(other).await.unwrap_err();
    assert_eq!(setup.network.peers[0].requests.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_names_the_unavailable_blob() {
    let setup = setup(vec![Behaviour::Honest, Behaviour::Honest]);
    let blob = BlobId::of(b"unknown");
    let error = setup.fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(
        error,
        FetchError::Unavailable {
            asked: 2,
            without: 2,
            fetched: 0,
            chunks: None,
            ..
        }
    ));
    assert!(error.to_string().contains(&blob.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_fails_when_no_peer_responds_or_is_connected() {
    for behaviours in [vec![], vec![Behaviour::Unresponsive]] {
        let setup = setup(behaviours);
        let error = setup.fetcher.fetch(BlobId::of(b"?")).await.unwrap_err();
        assert!(matches!(error, FetchError::Unavailable { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_is_fetched_when_a_peer_stores_it_later() {
    let setup = setup(vec![Behaviour::Honest]);
    let blob = BlobId::of(b"soon");
    let fetch = tokio::spawn({
        let fetcher = setup.fetcher.clone();
        async move { fetcher.fetch(blob).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    setup.publish(b"soon");
    fetch.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_share_one_fetch() {
    let setup = setup(vec![Behaviour::Slow(Duration::from_millis(60))]);
    let bytes = content(6 * MIB);
    let blob = setup.publish(&bytes);
    let fetches = (0..8).map(|_| setup.fetcher.fetch(blob));
    let results = futures::future::join_all(fetches).await;
    assert!(results.iter().all(Result::is_ok));
    assert!(
        setup.network.peers[0].requests.lock().len() <= 7,
        "six chunks, at most one requested twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_resumes_an_earlier_one() {
    let setup = setup(vec![Behaviour::Honest]);
    let bytes = content(4 * MIB);
    let blob = setup.publish(&bytes);
    let mut partial = setup.store.create_partial(&blob, bytes.len() as u64).unwrap();
    for index in [0, 3] {
        let at = index as usize * MIB;
        partial.write(index, &bytes[at..at + MIB]).unwrap();
    }
    drop(partial);
    let again = Arc::new(Store::open(setup.folder.path(), StoreLimits::default()).unwrap());
    let transport = setup.network.clone();
    let fetcher = Fetcher::new(again.clone(), transport, short_limits(), Handle::current());
    fetcher.fetch(blob).await.unwrap();
    assert_eq!(again.get(&blob).unwrap(), Some(bytes));
    let mut requests = setup.network.peers[0].requests.lock().clone();
    requests.sort_by_key(|selector| format!("{selector:?}"));
    assert_eq!(requests, vec![ChunkSelector::At(1), ChunkSelector::At(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_fails_when_the_blob_exceeds_the_store_limit() {
    let setup = setup(vec![Behaviour::Honest]);
    let blob = setup.publish(&content(2000));
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits {
        blob_bytes: 1000,
        total_bytes: 10_000,
    };
    let small = Arc::new(Store::open(folder.path(), limits).unwrap());
    let fetcher = Fetcher::new(small, setup.network.clone(), short_limits(), Handle::current());
    let error = fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(
        &error,
        FetchError::Store { error, .. } if matches!(**error, StoreError::BlobTooLarge { bytes: 2000, .. })
    ));
    assert!(error.to_string().contains(&blob.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_damaged_blobs_are_fetched() {
    let setup = setup(vec![Behaviour::Honest]);
    let blob = setup.publish(b"weights");
    let source = Arc::new(setup.fetcher.clone());
    let blobs = Blobs::new(setup.store.clone(), source, Handle::current());
    assert_eq!(blobs.get(blob).await.unwrap(), b"weights");

    let name = blob.to_string();
    let path = setup.folder.path().join("blobs").join(&name[..2]).join(&name[2..4]);
    std::fs::write(path.join(&name), b"weighty").unwrap();
    let blocking = {
        let blobs = blobs.clone();
        std::thread::spawn(move || blobs.get_blocking(blob))
    };
    let read = tokio::task::spawn_blocking(|| blocking.join().unwrap());
    assert_eq!(read.await.unwrap().unwrap(), b"weights");

    let gone = blobs.get(BlobId::of(b"gone")).await;
    assert!(matches!(gone, Err(BlobsError::Fetch(FetchError::Unavailable { .. }))));
}
