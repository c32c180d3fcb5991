// SPDX-License-Identifier: GPL-3.0-only
//! Runs the engine's jobs on background threads, in the node or in a separate process.
//!
//! | module | contents |
//! |---|---|
//! | [`worker`] | [`Worker`]: runs jobs on threads of this process |
//! | [`remote`] | [`RemoteEngine`]: runs jobs in a worker process, over WebSocket |
//! | [`server`] | the worker process' side of the connection |
//! | [`missing_blobs`] | the blobs that jobs of a worker process wait for |
//! | [`wire`] | the protocol between node and worker process |
//! | [`jobs`] | the state of all jobs: queued, running or finished |
//! | [`runner`] | the interface between the job queue and the code that computes a job |
//! | [`engine_runner`] | computes jobs with the engine, on the blobs of a node |
//! | [`panic_hook`] | lets a panic of a job unwind |
//!
//! [`Worker`] and [`RemoteEngine`] both implement [`agorai_engine_interface::Engine`]. No call blocks, and every
//! failure (a panic, a crash of the worker process, a lost connection) becomes the status of its job.
//!
//! # The worker process
//!
//! ```text
//! agorai-worker --blobs /var/lib/agorai/blobs --listen 127.0.0.1:9955 --threads 8
//! agorai-node ... --compute ws://127.0.0.1:9955
//! ```
//!
//! Worker and node share **one blob folder** (the node's `--blobs`, on the same machine or on a shared disk). The node
//! fetches blobs that a job needs and the folder does not contain; it serves the blobs that the job writes. The
//! connection is not authenticated: any client that reaches the port can enqueue jobs, so the worker must listen on
//! loopback or a private network. The node trusts the worker: it claims the worker's results under its own bond.
#![forbid(unsafe_code)]

pub mod engine_runner;
pub mod jobs;
pub mod missing_blobs;
pub mod panic_hook;
pub mod remote;
mod retention;
pub mod runner;
pub mod server;
#[cfg(test)]
mod testing;
pub mod wire;
pub mod worker;

pub use engine_runner::EngineRunner;
pub use remote::{RemoteConfig, RemoteEngine};
pub use runner::{JobProgress, JobRunner};
pub use worker::{Worker, WorkerConfig};
