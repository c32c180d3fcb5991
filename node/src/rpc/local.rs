// SPDX-License-Identifier: GPL-3.0-only
//! What is local to this node: its blobs, its engine, the text that it is generating.

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

/// Most bytes of a blob that travels through the RPC: 64 MiB.
pub const MAX_BLOB_BYTES: usize = 64 << 20;

/// The request itself is wrong.
const BAD_REQUEST: i32 = 9100;
/// The node could not do it.
const FAILED: i32 = 9101;

/// How this node computes.
#[derive(Clone, Debug, Serialize)]
pub struct EngineInfo {
    /// Instruction set of the kernels: `scalar`, `avx2` or `avx512`; the worker's may be another.
    pub isa: String,
    /// Threads of one job; 0 where a worker process computes.
    pub threads: usize,
    /// `embedded`, or the address of the worker process.
    pub compute: String,
}

/// The text of a generation so far.
#[derive(Clone, Debug, Serialize)]
pub struct Provisional {
    /// Base64 of the bytes; empty where this node is not generating them.
    pub text: String,
}

/// The methods `agorai_*`.
#[rpc(server, namespace = "agorai")]
pub trait Local {
    /// Keeps a blob, given in base64, and returns its name. Only where unsafe methods are allowed,
    /// because it fills the disk.
    #[method(name = "blobPut", with_extensions)]
    async fn blob_put(&self, base64: String) -> RpcResult<String>;

    /// A blob in base64, fetched from peers where this node lacks it. Only where unsafe methods are
    /// allowed, because it takes traffic and disk.
    #[method(name = "blobGet", with_extensions)]
    async fn blob_get(&self, blob: String) -> RpcResult<String>;

    /// Whether this node has a blob.
    #[method(name = "blobHas")]
    async fn blob_has(&self, blob: String) -> RpcResult<bool>;

    /// What this node has generated so far for a request: unchecked, and not yet paid for.
    #[method(name = "provisional")]
    async fn provisional(&self, request: RequestId) -> RpcResult<Provisional>;

    /// How this node computes.
    #[method(name = "engine")]
    async fn engine(&self) -> RpcResult<EngineInfo>;
}

/// Answers [`LocalServer`].
#[derive(Clone)]
pub struct LocalRpc {
    /// The chain.
    pub client: Arc<FullClient>,
    /// Blobs of this node and its peers.
    pub blobs: Blobs,
    /// What computes jobs.
    pub engine: Arc<dyn Engine>,
    /// How it does that.
    pub info: EngineInfo,
}

impl LocalRpc {
    /// What the engine has generated in a job: also all of it, while the chain has not settled it yet.
    fn so_far(&self, job: JobId) -> Vec<u8> {
        match self.engine.poll(job) {
            JobStatus::Done(JobResult::Generated { output, .. }) => output,
            _ => self.engine.partial(job),
        }
    }
}

fn bad(why: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(BAD_REQUEST, why.to_string(), None::<()>)
}

fn failed(why: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(FAILED, why.to_string(), None::<()>)
}

fn name(text: &str) -> RpcResult<BlobId> {
    text.parse().map_err(bad)
}

fn decode(base64: &str) -> RpcResult<Vec<u8>> {
    // Four characters of base64 hold three bytes.
    if base64.len() / 4 * 3 > MAX_BLOB_BYTES + 2 {
        return Err(bad(format!("a blob has at most {MAX_BLOB_BYTES} bytes (64 MiB) here")));
    }
    STANDARD
        .decode(base64)
        .map_err(|error| bad(format!("this is no base64: {error}")))
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
        let bytes = self.blobs.get(name(&blob)?).await.map_err(failed)?;
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(failed(format!(
                "the blob has {} bytes: more than travels through the RPC",
                bytes.len()
            )));
        }
        Ok(STANDARD.encode(bytes))
    }

    async fn blob_has(&self, blob: String) -> RpcResult<bool> {
        Ok(self.blobs.store().has(&name(&blob)?))
    }

    async fn provisional(&self, request: RequestId) -> RpcResult<Provisional> {
        let best = self.client.info().best_hash;
        let job = self.client.runtime_api().job_of(best, request).map_err(failed)?;
        let bytes = job.map(|job| self.so_far(job)).unwrap_or_default();
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
    fn blob_is_decoded_and_refused_when_it_is_no_base64_or_too_large() {
        assert_eq!(decode("YWdvcmE=").unwrap(), b"agora");
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("?").unwrap_err().code(), BAD_REQUEST);
        let large = "A".repeat((MAX_BLOB_BYTES / 3 + 2) * 4);
        assert!(decode(&large).unwrap_err().message().contains("64 MiB"));
    }

    #[test]
    fn blob_name_is_refused_when_it_is_none() {
        assert!(name("abc").is_err());
        assert!(name(&"0".repeat(64)).is_ok());
    }
}
