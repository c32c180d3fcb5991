// SPDX-License-Identifier: GPL-3.0-only
//! The methods that `agorai-node` adds to its RPC and that this program calls: blobs and provisional text.
//!
//! | method | parameters | result |
//! |---|---|---|
//! | `agorai_blobPut` | base64 of a blob of at most 64 MiB | its id, 64 hexadecimal digits |
//! | `agorai_blobGet` | id | base64 of the blob |
//! | `agorai_blobHas` | id | whether the node stores the blob |
//! | `agorai_provisional` | request id | `{"text": base64}`, the bytes generated so far |

use crate::{
    deadline::{Awaited, Deadline},
    error::{Error, Result},
};
use agorai_primitives::BlobId;
use base64::{engine::general_purpose::STANDARD, Engine};
use std::{fmt::Display, time::Duration};
use subxt::{
    ext::jsonrpsee::ws_client::WsClientBuilder,
    rpcs::{client::RpcParams, Error as RpcError, RpcClient},
};

/// Maximum bytes of a blob that is sent through a node's RPC: 64 MiB.
pub const MAX_BLOB_BYTES: usize = 64 << 20;
/// Maximum bytes of a message: a blob of [`MAX_BLOB_BYTES`] in base64 and the rest of the message.
const MAX_MESSAGE_BYTES: u32 = 96 << 20;

/// A connection to a node's RPC.
#[derive(Clone, Debug)]
pub struct Rpc {
    client: RpcClient,
    url: String,
}

impl Rpc {
    /// Connects to `url`; fails with `CannotConnect`, or with `Timeout` when the deadline expires.
    pub async fn connect(url: &str, deadline: Deadline) -> Result<Self> {
        const HINT: &str = "start a network with: agorai localnet --dir D; or name a node with --url ws://HOST:PORT";
        let awaited = Awaited::new(format!("the connection to {url}"), HINT);
        let connection = WsClientBuilder::default()
            .max_request_size(MAX_MESSAGE_BYTES)
            .max_response_size(MAX_MESSAGE_BYTES)
            .max_buffer_capacity_per_subscription(4096)
            .connection_timeout(Duration::from_secs(10))
            .request_timeout(Duration::from_secs(60))
            .build(url);
        let client = deadline
            .limit(&awaited, async {
                connection.await.map_err(|e| {
                    Error::unreachable("CannotConnect", format!("cannot connect to {url}: {e}")).hint(HINT)
                })
            })
            .await?;
        Ok(Self {
            client: RpcClient::new(client),
            url: url.to_owned(),
        })
    }

    pub(super) fn client(&self) -> RpcClient {
        self.client.clone()
    }

    /// Returns the node's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls `method` with `parameters` and returns its result.
    async fn call(&self, method: &str, parameters: &[serde_json::Value]) -> Result<serde_json::Value> {
        let mut encoded = RpcParams::new();
        for parameter in parameters {
            encoded
                .push(parameter)
                .map_err(|e| Error::failed("BadParameter", e.to_string()))?;
        }
        self.client
            .request(method, encoded)
            .await
            .map_err(|e| self.failure(method, e))
    }

    fn failure(&self, method: &str, error: RpcError) -> Error {
        const METHOD_NOT_FOUND: i32 = -32601;
        match error {
            RpcError::User(error) if error.code == METHOD_NOT_FOUND => Error::failed(
                "NotOffered",
                format!("the node at {} does not offer {method}", self.url),
            )
            .hint("use an agorai-node of this release"),
            RpcError::User(error) if error.message.contains("unsafe") => Error::failed(
                "NotAllowed",
                format!("the node at {} allows only its operator to call {method}", self.url),
            )
            .hint("use your own node, or one that runs with --rpc-methods unsafe"),
            RpcError::User(error) => {
                let detail = error
                    .data
                    .map(|data| format!(": {}", data.get().trim_matches('"')))
                    .unwrap_or_default();
                Error::failed("NodeRefused", format!("{method}: {}{detail}", error.message))
            }
            error => Error::unreachable("NoAnswer", format!("{method} of {} failed: {error}", self.url))
                .hint("check that the node still runs"),
        }
    }

    fn unexpected(&self, method: &str, result: impl Display) -> Error {
        Error::failed(
            "StrangeAnswer",
            format!("{method} of {} returned an unexpected result: {result}", self.url),
        )
        .hint("use an agorai and an agorai-node of the same release")
    }

    /// Stores a blob at the node and returns its id, which is checked against the bytes.
    pub async fn blob_put(&self, bytes: &[u8]) -> Result<BlobId> {
        const METHOD: &str = "agorai_blobPut";
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(Error::usage(
                "BlobTooLarge",
                format!(
                    "the blob has {} bytes; the maximum is {MAX_BLOB_BYTES} (64 MiB)",
                    bytes.len()
                ),
            ));
        }
        let answer = self.call(METHOD, &[STANDARD.encode(bytes).into()]).await?;
        let expected = BlobId::of(bytes);
        let returned = answer
            .as_str()
            .and_then(|text| text.parse::<BlobId>().ok())
            .ok_or_else(|| self.unexpected(METHOD, &answer))?;
        if returned == expected {
            Ok(expected)
        } else {
            Err(self.unexpected(METHOD, format!("{returned} for blob {expected}")))
        }
    }

    /// Fetches a blob and checks its bytes against `id`.
    pub async fn blob_get(&self, id: &BlobId) -> Result<Vec<u8>> {
        const METHOD: &str = "agorai_blobGet";
        let answer = self.call(METHOD, &[id.to_string().into()]).await?;
        let bytes = answer
            .as_str()
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(|| self.unexpected(METHOD, "not base64"))?;
        if BlobId::of(&bytes) == *id {
            Ok(bytes)
        } else {
            Err(Error::failed(
                "BlobWrongHash",
                format!("the bytes that the node at {} sent are not blob {id}", self.url),
            )
            .hint("fetch it from another node"))
        }
    }

    /// Returns whether the node stores a blob.
    pub async fn blob_has(&self, id: &BlobId) -> Result<bool> {
        const METHOD: &str = "agorai_blobHas";
        let answer = self.call(METHOD, &[id.to_string().into()]).await?;
        answer.as_bool().ok_or_else(|| self.unexpected(METHOD, &answer))
    }

    /// Returns the bytes that the node has generated so far for a request; empty if it is not the executor.
    pub async fn provisional(&self, request: u64) -> Result<Vec<u8>> {
        const METHOD: &str = "agorai_provisional";
        let answer = self.call(METHOD, &[request.into()]).await?;
        match answer.get("text").and_then(|text| text.as_str()) {
            Some(text) => STANDARD.decode(text).map_err(|e| self.unexpected(METHOD, e)),
            None => Ok(Vec::new()),
        }
    }
}
