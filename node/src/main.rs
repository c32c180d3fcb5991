// SPDX-License-Identifier: GPL-3.0-only
//! The Agorai validator: chain, trainer and server in one binary.
//!
//! | module | what is in it |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`command`] | what each command does |
//! | [`chain_spec`] | which chain `--chain` names |
//! | [`compute`] | where jobs are computed and blobs are kept |
//! | [`partial`] | what every command that reads the chain needs: client, database, import queue |
//! | [`service`] | the running node: network, consensus, offchain workers |
//! | [`rpc`] | what the node answers |
// The errors of starting a node are the libraries', whatever their size.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod compute;
mod partial;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
