// SPDX-License-Identifier: Apache-2.0
//! The transport that a fetch uses.

use crate::protocol::{Request, Response};
use async_trait::async_trait;
use sc_network_types::PeerId;

/// Sends requests to peers.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Returns the connected peers.
    async fn peers(&self) -> Vec<PeerId>;

    /// Sends a request to a peer and returns its response.
    async fn request(&self, peer: PeerId, request: Request) -> Result<Response, RequestError>;

    /// Reports that a peer sent data that does not belong to the requested chunk.
    fn report(&self, peer: PeerId);
}

/// Why a request has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The peer did not respond, or the connection failed.
    #[error("no response")]
    NoResponse,
    /// The response does not decode as a message of the protocol.
    #[error("malformed response")]
    Malformed,
}
