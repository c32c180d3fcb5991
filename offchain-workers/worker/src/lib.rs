// SPDX-License-Identifier: GPL-3.0-only
//! Runs the engine's jobs on threads of its own, in the node or as a separate process.
//!
//! | module | what is in it |
//! |---|---|
//! | [`worker`] | [`Worker`]: jobs on threads of this process |
//! | [`remote`] | [`Remote`]: jobs in a worker process, over WebSocket |
//! | [`server`] | the worker process' side of it |
//! | [`jobs`] | which jobs wait, run and are done |
//! | [`run`] | what runs a job: the engine on a node's blobs |
//!
//! Both [`Worker`] and [`Remote`] are an [`agorai_engine_interface::Engine`]: whatever happens to a job (a panic, a
//! crash of the worker process, a lost connection) its status says so, and no call waits.
//!
//! # The worker process
//!
//! ```text
//! agorai-worker --blobs /var/lib/agorai/blobs --listen 127.0.0.1:9955 --threads 8
//! agorai-node … --compute ws://127.0.0.1:9955
//! ```
//!
//! Worker and node use the **same blob folder** (the node's `blobs`, on one machine or on a shared
//! disk). Blobs that a job needs and the folder lacks are fetched by the node from its peers; what the
//! job makes is in the folder, so that the node serves it. There is no authentication: whoever reaches
//! the port can have the machine compute, so it belongs on the loopback or a private network. A wrong
//! answer of the worker is a wrong answer of the validator.
#![forbid(unsafe_code)]

pub mod jobs;
pub mod panics;
pub mod remote;
pub mod run;
pub mod server;
mod states;
#[cfg(test)]
mod testing;
pub mod wire;
pub mod worker;

pub use remote::{Remote, RemoteConfig};
pub use run::{EngineRun, Run, Watch};
pub use worker::{Worker, WorkerConfig};
