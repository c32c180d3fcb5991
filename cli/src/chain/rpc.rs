// SPDX-License-Identifier: GPL-3.0-only
//! What is local to a node: its blobs, the provisional text of its generations, its engine.
//!
//! | method | parameters | result |
//! |---|---|---|
//! | `agorai_blobPut` | base64 of a whole blob, at most 64 MiB | its name, 64 hexadecimal digits |
//! | `agorai_blobGet` | name | base64 of the blob |
//! | `agorai_blobHas` | name | whether the node has it |
//! | `agorai_provisional` | request id | `{"text": base64}`, the bytes generated so far |
//! | `agorai_engine` | | `{"isa": .., "threads": .., "compute": ..}` |

use crate::error::{Error, Result};
use agorai_primitives::BlobId;
use base64::{engine::general_purpose::STANDARD, Engine};
use std::{fmt::Display, time::Duration};
use subxt::{
    ext::jsonrpsee::ws_client::WsClientBuilder,
    rpcs::{client::RpcParams, Error as RpcError, RpcClient},
};

/// Most bytes of a blob that is sent through a node's RPC: 64 MiB.
pub const MAX_BLOB_BYTES: usize = 64 << 20;
/// A blob of that size in base64, with room for the rest of the message.
const MAX_MESSAGE_BYTES: u32 = 96 << 20;

/// A connection to a node's RPC.
#[derive(Clone, Debug)]
pub struct Rpc {
    client: RpcClient,
    url: String,
}

impl Rpc {
    /// Connects to `url`.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = WsClientBuilder::default()
            .max_request_size(MAX_MESSAGE_BYTES)
            .max_response_size(MAX_MESSAGE_BYTES)
            .max_buffer_capacity_per_subscription(4096)
            .connection_timeout(Duration::from_secs(10))
            .request_timeout(Duration::from_secs(60))
            .build(url)
            .await
            .map_err(|e| {
                Error::unreachable("CannotConnect", format!("cannot connect to {url}: {e}"))
                    .hint("start a network with: agorai localnet --dir D; or name a node with --url ws://HOST:PORT")
            })?;
        Ok(Self {
            client: RpcClient::new(client),
            url: url.to_owned(),
        })
    }

    pub(super) fn client(&self) -> RpcClient {
        self.client.clone()
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls `method` with `parameters`.
    pub async fn call(&self, method: &str, parameters: &[serde_json::Value]) -> Result<serde_json::Value> {
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
                format!("the node at {} lets only its own operator call {method}", self.url),
            )
            .hint("use your own node, or one that runs with --rpc-methods unsafe"),
            RpcError::User(error) => {
                let detail = error
                    .data
                    .map(|data| format!(": {}", data.get().trim_matches('"')))
                    .unwrap_or_default();
                Error::failed("NodeRefused", format!("{method}: {}{detail}", error.message))
            }
            error => Error::unreachable("NoAnswer", format!("{} at {method}: {error}", self.url))
                .hint("check that the node still runs"),
        }
    }

    fn strange(&self, method: &str, why: impl Display) -> Error {
        Error::failed(
            "StrangeAnswer",
            format!("the node at {} answers {method} oddly: {why}", self.url),
        )
    }

    /// Stores a blob with the node and checks the name that it answers.
    pub async fn blob_put(&self, bytes: &[u8]) -> Result<BlobId> {
        const METHOD: &str = "agorai_blobPut";
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(Error::usage(
                "BlobTooLarge",
                format!(
                    "{} bytes; a blob may have at most {MAX_BLOB_BYTES} (64 MiB)",
                    bytes.len()
                ),
            ));
        }
        let answer = self.call(METHOD, &[STANDARD.encode(bytes).into()]).await?;
        let ours = BlobId::of(bytes);
        let theirs = answer
            .as_str()
            .and_then(|text| text.parse::<BlobId>().ok())
            .ok_or_else(|| self.strange(METHOD, &answer))?;
        if theirs == ours {
            Ok(ours)
        } else {
            Err(self.strange(METHOD, format!("{theirs} for blob {ours}")))
        }
    }

    /// Fetches a blob and checks that it is the one that was asked for.
    pub async fn blob_get(&self, id: &BlobId) -> Result<Vec<u8>> {
        const METHOD: &str = "agorai_blobGet";
        let answer = self.call(METHOD, &[id.to_string().into()]).await?;
        let bytes = answer
            .as_str()
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(|| self.strange(METHOD, "no base64"))?;
        if BlobId::of(&bytes) == *id {
            Ok(bytes)
        } else {
            Err(Error::failed(
                "BlobWrongHash",
                format!("the node at {} sent other bytes than blob {id}", self.url),
            )
            .hint("ask another node"))
        }
    }

    /// Whether the node has a blob.
    pub async fn blob_has(&self, id: &BlobId) -> Result<bool> {
        const METHOD: &str = "agorai_blobHas";
        let answer = self.call(METHOD, &[id.to_string().into()]).await?;
        answer.as_bool().ok_or_else(|| self.strange(METHOD, &answer))
    }

    /// The bytes that this node has generated so far for a request; empty where it is not the executor.
    pub async fn provisional(&self, request: u64) -> Result<Vec<u8>> {
        const METHOD: &str = "agorai_provisional";
        let answer = self.call(METHOD, &[request.into()]).await?;
        match answer.get("text").and_then(|text| text.as_str()) {
            Some(text) => STANDARD.decode(text).map_err(|e| self.strange(METHOD, e)),
            None => Ok(Vec::new()),
        }
    }
}
