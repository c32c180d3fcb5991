// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::{
    protocol::Which,
    serve::{Responder, ServeLimits, Server},
    store::Limits,
    Blobs, BlobsError,
};
use agorai_primitives::CHUNK_BYTES;
use tempfile::TempDir;

const MIB: usize = CHUNK_BYTES as usize;

enum Kind {
    Honest,
    /// Honest, but each answer takes this long.
    Slow(Duration),
    Silent,
    Malformed,
    /// Claims this size.
    Liar(u64),
    Corrupt,
}

struct FakePeer {
    id: PeerId,
    kind: Kind,
    server: Server,
    store: Arc<Store>,
    asked: Mutex<Vec<Which>>,
    _folder: TempDir,
}

fn peer(kind: Kind) -> FakePeer {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), Limits::default()).unwrap());
    FakePeer {
        id: PeerId::random(),
        kind,
        server: Server::new(store.clone(), ServeLimits::default()),
        store,
        asked: Mutex::default(),
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

    async fn request(&self, id: PeerId, request: Request) -> Result<Response, NoAnswer> {
        let peer = self.peers.iter().find(|peer| peer.id == id).unwrap();
        peer.asked.lock().push(request.which);
        match peer.kind {
            Kind::Silent => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(NoAnswer::Silent)
            }
            Kind::Malformed => Err(NoAnswer::Malformed),
            Kind::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(peer.server.respond(id, request))
            }
            Kind::Liar(claimed) => Ok(match peer.server.respond(id, request) {
                Response::Chunk { slice, .. } => Response::Chunk { size: claimed, slice },
                other => other,
            }),
            Kind::Corrupt => Ok(match peer.server.respond(id, request) {
                Response::Chunk { size, mut slice } => {
                    *slice.last_mut().unwrap() ^= 1;
                    Response::Chunk { size, slice }
                }
                other => other,
            }),
            Kind::Honest => Ok(peer.server.respond(id, request)),
        }
    }

    fn report(&self, peer: PeerId) {
        self.reported.lock().push(peer);
    }
}

struct Scene {
    network: Arc<FakeNetwork>,
    store: Arc<Store>,
    fetcher: Fetcher,
    folder: TempDir,
}

fn quick() -> FetchLimits {
    FetchLimits {
        request: Duration::from_millis(2000),
        late: Duration::from_millis(100),
        patience: Duration::from_millis(1500),
        absent: Duration::from_millis(300),
        rest: Duration::from_millis(30),
        ..FetchLimits::default()
    }
}

fn scene(kinds: Vec<Kind>) -> Scene {
    let network = Arc::new(FakeNetwork {
        peers: kinds.into_iter().map(peer).collect(),
        ..FakeNetwork::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), Limits::default()).unwrap());
    let fetcher = Fetcher::new(store.clone(), network.clone(), quick(), Handle::current());
    Scene {
        network,
        store,
        fetcher,
        folder,
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 % 253) as u8).collect()
}

impl Scene {
    fn publish(&self, bytes: &[u8]) -> BlobId {
        for peer in &self.network.peers {
            peer.store.put(bytes).unwrap();
        }
        BlobId::of(bytes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_is_fetched_whole_from_several_peers() {
    let scene = scene(vec![Kind::Honest, Kind::Honest]);
    for size in [0, 5, MIB, 9 * MIB + 17] {
        let bytes = content(size);
        let blob = scene.publish(&bytes);
        scene.fetcher.fetch(blob).await.unwrap();
        assert_eq!(scene.store.get(&blob).unwrap(), Some(bytes));
        assert_eq!(scene.fetcher.progress(&blob), None);
    }
    for peer in &scene.network.peers {
        assert!(peer.asked.lock().len() > 2, "both peers have work");
    }
    assert!(scene.network.reported.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_is_fetched_despite_corrupt_silent_lying_and_malformed_peers() {
    let scene = scene(vec![
        Kind::Corrupt,
        Kind::Silent,
        Kind::Liar(1),
        Kind::Liar(u64::MAX),
        Kind::Malformed,
        Kind::Honest,
    ]);
    let bytes = content(8 * MIB + 1);
    let blob = scene.publish(&bytes);
    scene.fetcher.fetch(blob).await.unwrap();
    assert_eq!(scene.store.get(&blob).unwrap(), Some(bytes));
    let reported = scene.network.reported.lock().clone();
    for peer in &scene.network.peers {
        let times = reported.iter().filter(|id| **id == peer.id).count();
        match peer.kind {
            Kind::Honest | Kind::Silent => assert_eq!(times, 0),
            _ => assert!(times <= 4, "no peer is asked again after wrong bytes"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_peer_is_reported_and_asked_nothing_more() {
    let scene = scene(vec![Kind::Corrupt]);
    let blob = scene.publish(b"truth");
    let error = scene.fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(error, FetchError::Unavailable { corrupt: 1, .. }));
    assert_eq!(scene.network.reported.lock().len(), 1);
    let other = scene.publish(b"another truth");
    scene.fetcher.fetch(other).await.unwrap_err();
    assert_eq!(scene.network.peers[0].asked.lock().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_blob_is_an_error_that_names_it() {
    let scene = scene(vec![Kind::Honest, Kind::Honest]);
    let blob = BlobId::of(b"nobody has it");
    let error = scene.fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(
        error,
        FetchError::Unavailable {
            asked: 2,
            without: 2,
            have: 0,
            chunks: None,
            ..
        }
    ));
    assert!(error.to_string().contains(&blob.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_ends_when_every_peer_is_silent_or_there_is_none() {
    for kinds in [vec![], vec![Kind::Silent]] {
        let scene = scene(kinds);
        let error = scene.fetcher.fetch(BlobId::of(b"?")).await.unwrap_err();
        assert!(matches!(error, FetchError::Unavailable { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_that_appears_late_is_found() {
    let scene = scene(vec![Kind::Honest]);
    let blob = BlobId::of(b"soon");
    let fetch = tokio::spawn({
        let fetcher = scene.fetcher.clone();
        async move { fetcher.fetch(blob).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.publish(b"soon");
    fetch.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_one_fetch_and_see_its_progress() {
    let scene = scene(vec![Kind::Slow(Duration::from_millis(60))]);
    let bytes = content(6 * MIB);
    let blob = scene.publish(&bytes);
    let fetches = (0..8).map(|_| scene.fetcher.fetch(blob));
    let (watcher, mut seen) = (scene.fetcher.clone(), FetchProgress::default());
    let watch = async {
        while let Some(progress) = watcher.progress(&blob) {
            assert!(progress.have >= seen.have);
            seen = progress;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (results, ()) = futures::join!(futures::future::join_all(fetches), watch);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(seen.size, bytes.len() as u64);
    assert!(seen.have > 0);
    assert!(
        scene.network.peers[0].asked.lock().len() <= 7,
        "six chunks, at most one twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_goes_on_where_an_earlier_one_stopped() {
    let scene = scene(vec![Kind::Honest]);
    let bytes = content(4 * MIB);
    let blob = scene.publish(&bytes);
    let mut partial = scene.store.begin(&blob, bytes.len() as u64).unwrap();
    for index in [0, 3] {
        let at = index as usize * MIB;
        partial.write(index, &bytes[at..at + MIB]).unwrap();
    }
    drop(partial);
    let again = Arc::new(Store::open(scene.folder.path(), Limits::default()).unwrap());
    let transport = scene.network.clone();
    let fetcher = Fetcher::new(again.clone(), transport, quick(), Handle::current());
    fetcher.fetch(blob).await.unwrap();
    assert_eq!(again.get(&blob).unwrap(), Some(bytes));
    let mut asked = scene.network.peers[0].asked.lock().clone();
    asked.sort_by_key(|which| format!("{which:?}"));
    assert_eq!(asked, vec![Which::At(1), Which::At(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_is_refused_when_the_blob_is_larger_than_the_store_takes() {
    let scene = scene(vec![Kind::Honest]);
    let blob = scene.publish(&content(2000));
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        blob_bytes: 1000,
        total_bytes: 10_000,
    };
    let small = Arc::new(Store::open(folder.path(), limits).unwrap());
    let fetcher = Fetcher::new(small, scene.network.clone(), quick(), Handle::current());
    let error = fetcher.fetch(blob).await.unwrap_err();
    assert!(matches!(
        &error,
        FetchError::Store { error, .. } if matches!(**error, StoreError::BlobTooLarge { bytes: 2000, .. })
    ));
    assert!(error.to_string().contains(&blob.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn facade_fetches_what_the_store_lacks_and_what_the_disk_damaged() {
    let scene = scene(vec![Kind::Honest]);
    let blob = scene.publish(b"weights");
    let source = Arc::new(scene.fetcher.clone());
    let blobs = Blobs::new(scene.store.clone(), source, Handle::current());
    assert_eq!(blobs.get(blob).await.unwrap(), b"weights");

    let name = blob.to_string();
    let path = scene.folder.path().join("blobs").join(&name[..2]).join(&name[2..4]);
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
