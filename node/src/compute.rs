// SPDX-License-Identifier: GPL-3.0-only
//! Where jobs are computed and blobs are kept.

use crate::{
    cli::{Compute, WorkParams},
    rpc::local::EngineInfo,
};
use agorai_blobs::{Blobs, Limits, Store};
use agorai_engine::EngineConfig;
use agorai_engine_interface::Engine;
use agorai_exact::Isa;
use agorai_worker::{EngineRun, Remote, RemoteConfig, Worker, WorkerConfig};
use sc_service::{error::Error as ServiceError, Configuration};
use std::{sync::Arc, thread};
use tokio::runtime::Handle;

/// Opens the blobs: the folder of `--blobs`, or one beside the chain's database.
pub fn open_store(config: &Configuration, work: &WorkParams) -> Result<Arc<Store>, ServiceError> {
    let folder = match &work.blobs {
        Some(folder) => folder.clone(),
        None => config.base_path.config_dir(config.chain_spec.id()).join("blobs"),
    };
    let store = Store::open(&folder, Limits::default()).map_err(|error| {
        ServiceError::Other(format!(
            "cannot keep blobs in {}: {error}; name another folder with --blobs PATH",
            folder.display()
        ))
    })?;
    Ok(Arc::new(store))
}

/// Starts what computes jobs.
pub fn start(work: &WorkParams, blobs: Blobs, handle: &Handle) -> Result<Arc<dyn Engine>, ServiceError> {
    Ok(match &work.compute {
        Compute::Embedded => {
            let config = EngineConfig {
                threads: threads(work),
                ..EngineConfig::default()
            };
            let worker = Worker::start(EngineRun::new(config, blobs), WorkerConfig::default());
            Arc::new(worker.map_err(|error| {
                ServiceError::Other(format!(
                    "cannot start the threads of the engine: {error}; raise the limit of \
                     processes, or use --compute ws://HOST:PORT"
                ))
            })?)
        }
        Compute::Remote(url) => Arc::new(Remote::start(RemoteConfig::new(url.clone()), blobs, handle)),
    })
}

/// How this node computes, for those who ask.
pub fn info(work: &WorkParams) -> EngineInfo {
    let (compute, threads) = match &work.compute {
        Compute::Embedded => ("embedded".into(), threads(work)),
        Compute::Remote(url) => (url.clone(), 0),
    };
    EngineInfo {
        isa: format!("{:?}", Isa::detect()).to_lowercase(),
        threads,
        compute,
    }
}

/// Threads of one job of the embedded engine.
fn threads(work: &WorkParams) -> usize {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    work.compute_threads
        .map_or_else(processors, |threads| threads.get().into())
}
