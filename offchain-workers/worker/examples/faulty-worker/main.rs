// SPDX-License-Identifier: GPL-3.0-only
//! A worker process that claims wrong answers. The end-to-end tests connect a validator to it with `--compute`, and
//! check that the other validators reject its claims.

mod wrong_answers;

use agorai_blobs::{Blobs, Store, StoreLimits};
use agorai_engine::EngineConfig;
use agorai_worker::{missing_blobs::MissingBlobs, server::serve, EngineRunner, Worker, WorkerConfig};
use clap::Parser;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::runtime::Handle;
use wrong_answers::WrongAnswers;

/// Runs a validator's jobs and reports a wrong output for every generation.
#[derive(Parser)]
struct Arguments {
    /// Address that the node connects to.
    #[arg(long)]
    listen: SocketAddr,
    /// The node's blob folder.
    #[arg(long)]
    blobs: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    sp_tracing::try_init_simple();
    let arguments = Arguments::parse();
    let store = Arc::new(Store::open(&arguments.blobs, StoreLimits::default())?);
    let missing = MissingBlobs::new(store.clone(), Duration::from_secs(60));
    let blobs = Blobs::new(store, missing.clone(), Handle::current());
    let config = EngineConfig {
        threads: 1,
        ..EngineConfig::default()
    };
    let worker = Worker::start(EngineRunner::new(config, blobs), WorkerConfig::default())?;
    let engine = WrongAnswers(Arc::new(worker));
    let (address, server) = serve(arguments.listen, Arc::new(engine), missing).await?;
    println!("faulty-worker listens on ws://{address}");
    server.stopped().await;
    Ok(())
}
