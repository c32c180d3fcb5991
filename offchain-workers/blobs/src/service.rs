// SPDX-License-Identifier: Apache-2.0
//! Binds the blob protocol to the network of a Substrate node.
//!
//! ```text
//! let store = Arc::new(Store::open(folder, StoreLimits::default())?);
//! let name = service::protocol_name(genesis_hash, fork_id);
//! let (config, responses) = service::request_response_config::<Block, N>(
//!     name.clone(), Arc::new(Server::new(store.clone(), ServeLimits::default())));
//! net_config.add_request_response_protocol(config);
//! // … build_network …
//! task_manager.spawn_handle().spawn("blobs", Some("blobs"), responses);
//! let blobs = service::blobs(store, network, sync_service, name, tokio_handle);
//! ```

use crate::{
    exchange::{FetchLimits, Fetcher, RequestError, Transport},
    protocol::{Request, Response, MAX_REQUEST, MAX_RESPONSE, NAME},
    serve::Responder,
    store::Store,
    Blobs,
};
use async_trait::async_trait;
use codec::Encode;
use futures::StreamExt;
use sc_network::{
    config::{IncomingRequest, OutgoingResponse},
    service::traits::NetworkService,
    IfDisconnected, NetworkBackend, NetworkPeers, NetworkRequest, ProtocolName, ReputationChange,
};
use sc_network_sync::SyncingService;
use sc_network_types::PeerId;
use sp_runtime::traits::Block as BlockT;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// Maximum number of queued incoming requests. The network refuses further ones.
const QUEUE: usize = 64;
/// Maximum number of requests that are answered concurrently; each may read from the disk.
const CONCURRENT_REQUESTS: usize = 4;
/// Timeout of outgoing requests in the network. Longer than [`FetchLimits::request_timeout`], which applies first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Cost of a chunk that does not verify.
const INVALID_DATA: ReputationChange = ReputationChange::new(-(1 << 28), "blob: invalid data");
/// Cost of a request that does not decode.
const BAD_REQUEST: ReputationChange = ReputationChange::new(-(1 << 12), "blob: bad request");

/// Returns the name of the protocol on a chain.
pub fn protocol_name(genesis_hash: impl AsRef<[u8]>, fork_id: Option<&str>) -> ProtocolName {
    let genesis = hex::encode(genesis_hash.as_ref());
    match fork_id {
        Some(fork) => format!("/{genesis}/{fork}/{NAME}").into(),
        None => format!("/{genesis}/{NAME}").into(),
    }
}

/// Returns the protocol's configuration for the network, and the future that answers requests.
pub fn request_response_config<B, N>(
    name: ProtocolName,
    responder: Arc<dyn Responder>,
) -> (
    N::RequestResponseProtocolConfig,
    impl Future<Output = ()> + Send + 'static,
)
where
    B: BlockT,
    N: NetworkBackend<B, B::Hash>,
{
    let (sender, receiver) = async_channel::bounded(QUEUE);
    let config = N::request_response_config(
        name,
        Vec::new(),
        MAX_REQUEST,
        MAX_RESPONSE,
        REQUEST_TIMEOUT,
        Some(sender),
    );
    (config, serve(receiver, responder))
}

async fn serve(requests: async_channel::Receiver<IncomingRequest>, responder: Arc<dyn Responder>) {
    requests
        .for_each_concurrent(CONCURRENT_REQUESTS, |request| answer(responder.clone(), request))
        .await;
}

async fn answer(responder: Arc<dyn Responder>, incoming: IncomingRequest) {
    let IncomingRequest {
        peer,
        payload,
        pending_response,
    } = incoming;
    let response = match Request::from_bytes(&payload) {
        Err(_) => OutgoingResponse {
            result: Err(()),
            reputation_changes: vec![BAD_REQUEST],
            sent_feedback: None,
        },
        Ok(request) => {
            let work = move || responder.respond(peer, request).encode();
            OutgoingResponse {
                result: tokio::task::spawn_blocking(work).await.map_err(|_| ()),
                reputation_changes: Vec::new(),
                sent_feedback: None,
            }
        }
    };
    // The peer may have disconnected meanwhile.
    let _ = pending_response.send(response);
}

/// Sends requests over the node's network to the peers with which it syncs.
pub struct NetworkTransport<B: BlockT> {
    network: Arc<dyn NetworkService>,
    sync: Arc<SyncingService<B>>,
    name: ProtocolName,
}

impl<B: BlockT> NetworkTransport<B> {
    /// Creates a transport for the protocol called `name`.
    pub fn new(network: Arc<dyn NetworkService>, sync: Arc<SyncingService<B>>, name: ProtocolName) -> Self {
        Self { network, sync, name }
    }
}

#[async_trait]
impl<B: BlockT> Transport for NetworkTransport<B> {
    async fn peers(&self) -> Vec<PeerId> {
        let peers = self.sync.peers_info().await.unwrap_or_default();
        peers.into_iter().map(|(peer, _)| peer).collect()
    }

    async fn request(&self, peer: PeerId, request: Request) -> Result<Response, RequestError> {
        let sent = self.network.request(
            peer,
            self.name.clone(),
            request.encode(),
            None,
            IfDisconnected::ImmediateError,
        );
        let (bytes, _) = sent.await.map_err(|error| {
            log::debug!(target: "blobs", "no response from {peer}: {error}");
            RequestError::NoResponse
        })?;
        Response::from_bytes(&bytes).map_err(|_| RequestError::Malformed)
    }

    fn report(&self, peer: PeerId) {
        self.network.report_peer(peer, INVALID_DATA);
    }
}

/// Returns the blobs of a node: those in its store, and those that its peers serve.
pub fn blobs<B: BlockT>(
    store: Arc<Store>,
    network: Arc<dyn NetworkService>,
    sync: Arc<SyncingService<B>>,
    name: ProtocolName,
    handle: Handle,
) -> Blobs {
    let transport = Arc::new(NetworkTransport::new(network, sync, name));
    let limits = FetchLimits::default();
    let fetcher = Fetcher::new(store.clone(), transport, limits, handle.clone());
    Blobs::new(store, Arc::new(fetcher), handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chunk,
        protocol::ChunkSelector,
        serve::{ServeLimits, Server},
        store::StoreLimits,
    };
    use futures::channel::oneshot;

    #[test]
    fn protocol_name_contains_genesis_hash_and_fork_id() {
        let genesis = [0xab; 32];
        let plain = protocol_name(genesis, None);
        let expected = format!("/{}/agorai/blob/1", "ab".repeat(32));
        assert_eq!(&plain[..], expected);
        assert_ne!(plain, protocol_name(genesis, Some("fork")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn requests_are_answered_and_malformed_ones_cost_reputation() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
        let blob = store.put(b"agora").unwrap();
        let (requests, receiver) = async_channel::bounded(QUEUE);
        let server = Arc::new(Server::new(store, ServeLimits::default()));
        let serving = tokio::spawn(serve(receiver, server));
        let ask = |payload: Vec<u8>| {
            let (pending_response, response) = oneshot::channel();
            let incoming = IncomingRequest {
                peer: PeerId::random(),
                payload,
                pending_response,
            };
            let requests = requests.clone();
            async move {
                requests.send(incoming).await.unwrap();
                response.await.unwrap()
            }
        };

        let selector = ChunkSelector::Last;
        let answered = ask(Request { blob, selector }.encode()).await;
        assert!(answered.reputation_changes.is_empty());
        match Response::from_bytes(&answered.result.unwrap()).unwrap() {
            Response::Chunk { size, slice } => {
                assert_eq!(chunk::verify(&blob, size, 0, &slice).unwrap(), b"agora");
            }
            other => panic!("{other:?}"),
        }

        let refused = ask(b"what?".to_vec()).await;
        assert!(refused.result.is_err());
        assert_eq!(refused.reputation_changes, vec![BAD_REQUEST]);

        drop(requests);
        serving.await.unwrap();
    }
}
