// SPDX-License-Identifier: GPL-3.0-only
//! `agorai`, the command line of a user of the chain, as a library for the end-to-end tests.
//!
//! | module | content |
//! |---|---|
//! | [`args`] | the command line's options and help |
//! | [`dispatch`] | selection of the command |
//! | [`commands`] | one module per group of commands |
//! | [`localnet`] | a network of nodes on this machine |
//! | [`chain`] | calls, storage and events of the chain, over a node's RPC |
//! | [`corpus`], [`manifest`] | the files of a dataset and its description |
//! | [`weights`] | the initial weights of a model |
//! | [`deadline`] | the time limit of a command |
//! | [`output`], [`table`] | results on stdout, progress on stderr |
//! | [`error`] | errors and exit codes |

pub mod args;
pub mod chain;
pub mod commands;
pub mod corpus;
pub mod deadline;
pub mod dispatch;
pub mod error;
pub mod localnet;
pub mod manifest;
pub mod output;
pub mod table;
#[cfg(test)]
mod test_runtime;
pub mod weights;

pub use error::{Error, ErrorKind, Result};
