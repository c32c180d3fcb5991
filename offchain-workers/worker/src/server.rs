// SPDX-License-Identifier: GPL-3.0-only
//! The worker process' side of the connection to its node.

use crate::wire::{from_text, to_text, Standing, ENQUEUE, MAX_MESSAGE, MOST_JOBS, MOST_WANTED, STANDING, WANTED};
use agorai_blobs::{exchange::FetchError, Source, Store};
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobSpec, JobStatus, MAX_JOB_BYTES},
    BlobId, JobId,
};
use async_trait::async_trait;
use jsonrpsee::{
    server::{Server, ServerHandle},
    types::{error::INVALID_PARAMS_CODE, ErrorObjectOwned, Params},
    RpcModule,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

/// Nodes that may be connected.
const MOST_CONNECTIONS: u32 = 16;
/// How often the folder is looked at for a blob that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Blobs that jobs wait for. The node is told of them, fetches them, and they appear in the folder.
pub struct Wanted {
    store: Arc<Store>,
    patience: Duration,
    waiting: Mutex<BTreeMap<BlobId, usize>>,
}

impl Wanted {
    /// Of a folder that the node shares; a job waits at most `patience` for a blob.
    pub fn new(store: Arc<Store>, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            patience,
            waiting: Mutex::default(),
        })
    }

    fn list(&self) -> Vec<BlobId> {
        let waiting = self.waiting.lock();
        waiting.keys().copied().take(MOST_WANTED).collect()
    }

    async fn appears(&self, blob: BlobId) {
        while !self.store.has(&blob) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl Source for Wanted {
    async fn obtain(&self, blob: BlobId) -> Result<(), FetchError> {
        *self.waiting.lock().entry(blob).or_default() += 1;
        let appeared = tokio::time::timeout(self.patience, self.appears(blob)).await;
        let mut waiting = self.waiting.lock();
        if let Some(count) = waiting.get_mut(&blob) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&blob);
            }
        }
        appeared.map_err(|_| FetchError::TimedOut {
            blob,
            limit: self.patience,
        })
    }
}

struct Context {
    engine: Arc<dyn Engine>,
    wanted: Arc<Wanted>,
}

/// Serves an engine; the address it listens on (of interest where the port was 0) and the handle that
/// stops it.
pub async fn serve(
    listen: SocketAddr,
    engine: Arc<dyn Engine>,
    wanted: Arc<Wanted>,
) -> io::Result<(SocketAddr, ServerHandle)> {
    let server = Server::builder()
        .ws_only()
        .max_connections(MOST_CONNECTIONS)
        .max_request_body_size(MAX_MESSAGE)
        .max_response_body_size(MAX_MESSAGE)
        .build(listen)
        .await?;
    let address = server.local_addr()?;
    let module = module(Context { engine, wanted }).map_err(io::Error::other)?;
    Ok((address, server.start(module)))
}

fn module(context: Context) -> Result<RpcModule<Context>, jsonrpsee::core::RegisterMethodError> {
    let mut module = RpcModule::new(context);
    module.register_method(ENQUEUE, |params, context, _| {
        let spec: JobSpec = argument(params, MAX_JOB_BYTES as usize)?;
        Answer::Ok(to_text(&context.engine.enqueue(spec)))
    })?;
    module.register_method(STANDING, |params, context, _| {
        let jobs: Vec<JobId> = argument(params, 8 + MOST_JOBS * 32)?;
        let engine = &context.engine;
        let standings: Vec<Standing> = jobs
            .into_iter()
            .map(|job| standing(engine.as_ref(), job).bounded())
            .collect();
        Answer::Ok(to_text(&standings))
    })?;
    module.register_method(WANTED, |_, context, _| Answer::Ok(to_text(&context.wanted.list())))?;
    Ok(module)
}

type Answer = Result<String, ErrorObjectOwned>;

fn argument<T: codec::Decode>(params: Params, most: usize) -> Result<T, ErrorObjectOwned> {
    let text: String = params.one()?;
    from_text(&text, most).ok_or_else(|| {
        let message = "the argument is not what this method takes, or too long";
        ErrorObjectOwned::owned(INVALID_PARAMS_CODE, message, None::<()>)
    })
}

fn standing(engine: &dyn Engine, job: JobId) -> Standing {
    match engine.poll(job) {
        JobStatus::Unknown => Standing::Unknown,
        JobStatus::Pending => Standing::Pending(engine.partial(job)),
        JobStatus::Done(result) => Standing::Done(result),
        JobStatus::Failed(failure) => Standing::Failed(failure),
    }
}
