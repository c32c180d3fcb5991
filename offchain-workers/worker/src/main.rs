// SPDX-License-Identifier: GPL-3.0-only
//! The binary `agorai-worker`: the engine in a process beside a node. See the library's documentation.

use agorai_blobs::{Blobs, Store, StoreLimits};
use agorai_engine::EngineConfig;
use agorai_worker::{missing_blobs::MissingBlobs, server::serve, EngineRunner, Worker, WorkerConfig};
use anyhow::Context;
use clap::Parser;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};
use tokio::{runtime::Handle, signal};

/// Maximum time that a job waits for the node to fetch a blob.
const BLOB_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the jobs of a validator, whose node is started with `--compute ws://<address of this worker>`.
#[derive(Parser)]
#[command(name = "agorai-worker", version)]
struct Arguments {
    /// Address on which to listen for the node. Connections are not authenticated: use loopback or a private network.
    #[arg(long, default_value = "127.0.0.1:9955")]
    listen: SocketAddr,
    /// Blob folder of the node, which the worker shares.
    #[arg(long)]
    blobs: PathBuf,
    /// Number of threads per job [default: all hardware threads].
    #[arg(long)]
    threads: Option<usize>,
    /// Maximum number of concurrent jobs.
    #[arg(long, default_value_t = WorkerConfig::default().max_running)]
    jobs: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    sp_tracing::try_init_simple();
    let arguments = Arguments::parse();
    let store = Store::open(&arguments.blobs, StoreLimits::default())
        .with_context(|| format!("cannot open the blob folder {}", arguments.blobs.display()))?;
    let store = Arc::new(store);
    let missing = MissingBlobs::new(store.clone(), BLOB_TIMEOUT);
    let blobs = Blobs::new(store, missing.clone(), Handle::current());
    let config = EngineConfig {
        threads: arguments.threads.unwrap_or_else(processors),
        ..EngineConfig::default()
    };
    let worker = WorkerConfig {
        max_running: arguments.jobs,
        ..WorkerConfig::default()
    };
    let engine = Worker::start(EngineRunner::new(config, blobs), worker).context("cannot start the compute threads")?;
    let (address, server) = serve(arguments.listen, Arc::new(engine), missing)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("agorai-worker listens on ws://{address}");
    tokio::select! {
        stopped = signal::ctrl_c() => stopped.context("cannot wait for ctrl-c")?,
        () = server.stopped() => {}
    }
    Ok(())
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{error::ErrorKind, CommandFactory};

    #[test]
    fn command_line_definition_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn release_worker_has_no_fault_injection() {
        let line = ["agorai-worker", "--blobs", "blobs", "--test-fault", "wrong-answer"];
        let error = Arguments::try_parse_from(line).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
    }
}
