// SPDX-License-Identifier: GPL-3.0-only
//! The RPC methods `agorai_*` about the node itself: its blobs, its engine, its provisional outputs.

use crate::client::FullClient;
use agorai_blobs::Blobs;
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobResult, JobStatus},
    BlobId, JobId, RequestId,
};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use jsonrpsee::{
    core::{async_trait, RpcResult},
    proc_macros::rpc,
    types::ErrorObjectOwned,
    Extensions,
};
use pallet_inference::runtime_api::InferenceApi;
use sc_rpc_api::check_if_safe;
use serde::Serialize;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use std::sync::Arc;

/// Maximum size of a blob in a request or response in bytes: 64 MiB.
pub const MAX_BLOB_BYTES: usize = 64 << 20;

/// Error code: the request is invalid.
const INVALID_REQUEST: i32 = 9100;
/// Error code: the node could not complete the request.
const FAILED: i32 = 9101;

/// The engine of a node.
#[derive(Clone, Debug, Serialize)]
pub struct EngineInfo {
    /// Instruction set of the kernels on this machine: `scalar`, `avx2` or `avx512`. A worker process may use another.
    pub isa: String,
    /// Number of threads per job; 0 if jobs run in a worker process.
    pub threads: usize,
    /// `embedded`, or the address of the worker process.
    pub compute: String,
}

/// The provisional output of a generation.
#[derive(Clone, Debug, Serialize)]
pub struct Provisional {
    /// The output so far in base64; empty if this node does not run the job.
    pub text: String,
}

/// The methods `agorai_*`.
#[rpc(server, namespace = "agorai")]
pub trait Local {
    /// Stores a blob, given in base64, and returns its id. An unsafe method, because it uses disk space.
    #[method(name = "blobPut", with_extensions)]
    async fn blob_put(&self, base64: String) -> RpcResult<String>;

    /// Returns a blob in base64, after fetching it from peers if necessary. An unsafe method, because it uses bandwidth
    /// and disk space.
    #[method(name = "blobGet", with_extensions)]
    async fn blob_get(&self, blob: String) -> RpcResult<String>;

    /// Returns whether this node stores a blob.
    #[method(name = "blobHas")]
    async fn blob_has(&self, blob: String) -> RpcResult<bool>;

    /// Returns the provisional output of a request on this node, which no checker has confirmed.
    #[method(name = "provisional")]
    async fn provisional(&self, request: RequestId) -> RpcResult<Provisional>;

    /// Describes the engine of this node.
    #[method(name = "engine")]
    async fn engine(&self) -> RpcResult<EngineInfo>;
}

/// Implements [`LocalServer`].
#[derive(Clone)]
pub struct LocalRpc {
    /// The client of the chain.
    pub client: Arc<FullClient>,
    /// The blobs of this node and its peers.
    pub blobs: Blobs,
    /// The engine that runs the jobs.
    pub engine: Arc<dyn Engine>,
    /// The answer of `agorai_engine`.
    pub info: EngineInfo,
}

impl LocalRpc {
    /// Returns the output of a job: provisional while it runs, complete afterwards.
    fn output(&self, job: JobId) -> Vec<u8> {
        match self.engine.poll(job) {
            JobStatus::Done(JobResult::Generated { output, .. }) => output,
            _ => self.engine.partial(job),
        }
    }
}

fn invalid(reason: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_REQUEST, reason.to_string(), None::<()>)
}

fn failed(reason: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(FAILED, reason.to_string(), None::<()>)
}

fn parse_id(text: &str) -> RpcResult<BlobId> {
    text.parse().map_err(invalid)
}

fn decode(base64: &str) -> RpcResult<Vec<u8>> {
    // Four characters of base64 hold three bytes.
    if base64.len() / 4 * 3 > MAX_BLOB_BYTES + 2 {
        return Err(invalid(format!("the blob exceeds {MAX_BLOB_BYTES} bytes (64 MiB)")));
    }
    STANDARD
        .decode(base64)
        .map_err(|error| invalid(format!("invalid base64: {error}")))
}

#[async_trait]
impl LocalServer for LocalRpc {
    async fn blob_put(&self, extensions: &Extensions, base64: String) -> RpcResult<String> {
        check_if_safe(extensions)?;
        let blobs = self.blobs.clone();
        let put = tokio::task::spawn_blocking(move || {
            let bytes = decode(&base64)?;
            blobs.put(&bytes).map_err(failed)
        });
        Ok(put.await.map_err(failed)??.to_string())
    }

    async fn blob_get(&self, extensions: &Extensions, blob: String) -> RpcResult<String> {
        check_if_safe(extensions)?;
        let bytes = self.blobs.get(parse_id(&blob)?).await.map_err(failed)?;
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(failed(format!(
                "the blob has {} bytes and exceeds the limit of {MAX_BLOB_BYTES} bytes (64 MiB)",
                bytes.len()
            )));
        }
        Ok(STANDARD.encode(bytes))
    }

    async fn blob_has(&self, blob: String) -> RpcResult<bool> {
        Ok(self.blobs.store().has(&parse_id(&blob)?))
    }

    async fn provisional(&self, request: RequestId) -> RpcResult<Provisional> {
        let best = self.client.info().best_hash;
        let job = self.client.runtime_api().job_of(best, request).map_err(failed)?;
        let bytes = job.map(|job| self.output(job)).unwrap_or_default();
        Ok(Provisional {
            text: STANDARD.encode(bytes),
        })
    }

    async fn engine(&self) -> RpcResult<EngineInfo> {
        Ok(self.info.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_is_refused_when_it_is_not_base64_or_too_large() {
        assert_eq!(decode("YWdvcmE=").unwrap(), b"agora");
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("?").unwrap_err().code(), INVALID_REQUEST);
        let large = "A".repeat((MAX_BLOB_BYTES / 3 + 2) * 4);
        assert!(decode(&large).unwrap_err().message().contains("64 MiB"));
    }

    #[test]
    fn blob_id_is_refused_when_it_does_not_parse() {
        assert!(parse_id("abc").is_err());
        assert!(parse_id(&"0".repeat(64)).is_ok());
    }
}
