// SPDX-License-Identifier: GPL-3.0-only
//! The worker process: the engine beside a node, see the library's page.

use agorai_blobs::{Blobs, Limits, Store};
use agorai_engine::EngineConfig;
use agorai_worker::{
    server::{serve, Wanted},
    EngineRun, Worker, WorkerConfig,
};
use anyhow::Context;
use clap::Parser;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};
use tokio::{runtime::Handle, signal};

/// How long a job waits for its node to fetch a blob.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a validator's jobs beside its node, which is started with `--compute ws://<this address>`.
#[derive(Parser)]
#[command(name = "agorai-worker", version)]
struct Arguments {
    /// Where the node connects. There is no authentication: keep it on the loopback or a private network.
    #[arg(long, default_value = "127.0.0.1:9955")]
    listen: SocketAddr,
    /// The node's blob folder.
    #[arg(long)]
    blobs: PathBuf,
    /// Threads of one job; by default the processor's.
    #[arg(long)]
    threads: Option<usize>,
    /// Jobs that run at a time.
    #[arg(long, default_value_t = WorkerConfig::default().at_once)]
    jobs: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    sp_tracing::try_init_simple();
    let arguments = Arguments::parse();
    let store = Store::open(&arguments.blobs, Limits::default())
        .with_context(|| format!("blobs in {}", arguments.blobs.display()))?;
    let store = Arc::new(store);
    let wanted = Wanted::new(store.clone(), PATIENCE);
    let blobs = Blobs::new(store, wanted.clone(), Handle::current());
    let config = EngineConfig {
        threads: arguments.threads.unwrap_or_else(processors),
        ..EngineConfig::default()
    };
    let worker = WorkerConfig {
        at_once: arguments.jobs,
        ..WorkerConfig::default()
    };
    let engine = Worker::start(EngineRun::new(config, blobs), worker).context("threads")?;
    let (address, server) = serve(arguments.listen, Arc::new(engine), wanted)
        .await
        .with_context(|| format!("listen on {}", arguments.listen))?;
    println!("agorai-worker listens on ws://{address}");
    tokio::select! {
        stopped = signal::ctrl_c() => stopped.context("wait for ctrl-c")?,
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
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn release_worker_has_no_fault_injection() {
        let line = ["agorai-worker", "--blobs", "blobs", "--test-fault", "wrong-answer"];
        let error = Arguments::try_parse_from(line).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
    }
}
