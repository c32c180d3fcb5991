// SPDX-License-Identifier: GPL-3.0-only
//! The Agorai validator: chain, trainer and inference server in one binary, `agorai-node`.
//!
//! | module | contents |
//! |---|---|
//! | `cli` | the command line |
//! | `command` | what each command runs |
//! | `chain_spec` | the chain spec that `--chain` selects |
//! | `client` | the node's block type, client and database |
//! | `compute` | the blob store and the engine that the options select |
//! | `partial` | the components that need no network: client, transaction pool, import queue |
//! | `service` | the running node: network, consensus, offchain workers |
//! | `rpc` | the node's RPC methods |
//!
//! The node is a library so that the end-to-end tests can link it with another blob server
//! (`examples/faulty-node.rs`); the binary has no fault injection.
// `sc_cli::Error` and `sc_service::Error` are large; they are returned once per process.
#![allow(clippy::result_large_err)]
#![forbid(unsafe_code)]

mod chain_spec;
mod cli;
mod client;
mod command;
mod compute;
mod partial;
mod rpc;
mod service;

pub use command::run;
pub use service::BlobResponder;
