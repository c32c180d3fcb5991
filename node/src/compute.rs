// SPDX-License-Identifier: GPL-3.0-only
//! The blob store and the engine that the options select.

use crate::{
    cli::{Compute, ComputeParams},
    rpc::local::EngineInfo,
};
use agorai_blobs::{Blobs, Store, StoreLimits};
use agorai_engine::EngineConfig;
use agorai_engine_interface::Engine;
use agorai_exact::Isa;
use agorai_worker::{EngineRunner, RemoteConfig, RemoteEngine, Worker, WorkerConfig};
use sc_service::{error::Error as ServiceError, Configuration};
use std::{sync::Arc, thread};
use tokio::runtime::Handle;

/// Opens the blob store in the folder of `--blobs`, by default `blobs` beside the chain's database.
pub fn open_store(config: &Configuration, params: &ComputeParams) -> Result<Arc<Store>, ServiceError> {
    let folder = match &params.blobs {
        Some(folder) => folder.clone(),
        None => config.base_path.config_dir(config.chain_spec.id()).join("blobs"),
    };
    let store = Store::open(&folder, StoreLimits::default()).map_err(|error| {
        ServiceError::Other(format!(
            "cannot open the blob store in {}: {error}; select another folder with --blobs PATH",
            folder.display()
        ))
    })?;
    Ok(Arc::new(store))
}

/// Starts the engine that `--compute` selects. It reads and writes `blobs`.
pub fn start_engine(params: &ComputeParams, blobs: Blobs, handle: &Handle) -> Result<Arc<dyn Engine>, ServiceError> {
    Ok(match &params.compute {
        Compute::Embedded => {
            let config = EngineConfig {
                threads: threads(params),
                ..EngineConfig::default()
            };
            let worker = Worker::start(EngineRunner::new(config, blobs), WorkerConfig::default());
            Arc::new(worker.map_err(|error| {
                ServiceError::Other(format!(
                    "cannot start the engine's threads: {error}; raise the process limit (ulimit -u), or use \
                     --compute ws://HOST:PORT"
                ))
            })?)
        }
        Compute::Remote(url) => Arc::new(RemoteEngine::start(RemoteConfig::new(url.clone()), blobs, handle)),
    })
}

/// Describes the engine for the RPC method `agorai_engine`.
pub fn info(params: &ComputeParams) -> EngineInfo {
    let (compute, threads) = match &params.compute {
        Compute::Embedded => ("embedded".into(), threads(params)),
        Compute::Remote(url) => (url.clone(), 0),
    };
    EngineInfo {
        isa: format!("{:?}", Isa::detect()).to_lowercase(),
        threads,
        compute,
    }
}

/// Returns the number of threads of one job of the embedded engine.
fn threads(params: &ComputeParams) -> usize {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    params
        .compute_threads
        .map_or_else(processors, |threads| threads.get().into())
}
