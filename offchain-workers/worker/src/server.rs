// SPDX-License-Identifier: GPL-3.0-only
//! The worker process' side of the connection to its node.

use crate::{
    missing_blobs::MissingBlobs,
    wire::{from_hex, to_hex, WorkerJobStatus, ENQUEUE, MAX_JOBS, MAX_MESSAGE, MISSING_BLOBS, STATUS},
};
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobSpec, JobStatus, MAX_JOB_BYTES},
    JobId,
};
use jsonrpsee::{
    server::{Server, ServerHandle},
    types::{error::INVALID_PARAMS_CODE, ErrorObjectOwned, Params},
    RpcModule,
};
use std::{io, net::SocketAddr, sync::Arc};

/// Maximum number of connected nodes.
const MAX_CONNECTIONS: u32 = 16;

struct Context {
    engine: Arc<dyn Engine>,
    missing: Arc<MissingBlobs>,
}

/// Serves an engine. Returns the address on which it listens (the port is chosen by the system if that of `listen` is
/// 0) and the handle that stops the server.
pub async fn serve(
    listen: SocketAddr,
    engine: Arc<dyn Engine>,
    missing: Arc<MissingBlobs>,
) -> io::Result<(SocketAddr, ServerHandle)> {
    let server = Server::builder()
        .ws_only()
        .max_connections(MAX_CONNECTIONS)
        .max_request_body_size(MAX_MESSAGE)
        .max_response_body_size(MAX_MESSAGE)
        .build(listen)
        .await?;
    let address = server.local_addr()?;
    let module = module(Context { engine, missing }).map_err(io::Error::other)?;
    Ok((address, server.start(module)))
}

fn module(context: Context) -> Result<RpcModule<Context>, jsonrpsee::core::RegisterMethodError> {
    let mut module = RpcModule::new(context);
    module.register_method(ENQUEUE, |params, context, _| {
        let spec: JobSpec = decode_argument(params, MAX_JOB_BYTES as usize)?;
        MethodResult::Ok(to_hex(&context.engine.enqueue(spec)))
    })?;
    module.register_method(STATUS, |params, context, _| {
        let jobs: Vec<JobId> = decode_argument(params, 8 + MAX_JOBS * 32)?;
        let engine = &context.engine;
        let statuses: Vec<WorkerJobStatus> = jobs
            .into_iter()
            .map(|job| status(engine.as_ref(), job).bounded())
            .collect();
        MethodResult::Ok(to_hex(&statuses))
    })?;
    module.register_method(MISSING_BLOBS, |_, context, _| {
        MethodResult::Ok(to_hex(&context.missing.list()))
    })?;
    Ok(module)
}

type MethodResult = Result<String, ErrorObjectOwned>;

fn decode_argument<T: codec::Decode>(params: Params, max_bytes: usize) -> Result<T, ErrorObjectOwned> {
    let text: String = params.one()?;
    from_hex(&text, max_bytes).ok_or_else(|| {
        let message = format!("the argument does not decode, or exceeds {max_bytes} bytes");
        ErrorObjectOwned::owned(INVALID_PARAMS_CODE, message, None::<()>)
    })
}

fn status(engine: &dyn Engine, job: JobId) -> WorkerJobStatus {
    match engine.poll(job) {
        JobStatus::Unknown => WorkerJobStatus::Unknown,
        JobStatus::Pending => WorkerJobStatus::Pending(engine.partial(job)),
        JobStatus::Done(result) => WorkerJobStatus::Done(result),
        JobStatus::Failed(failure) => WorkerJobStatus::Failed(failure),
    }
}
