// SPDX-License-Identifier: GPL-3.0-only
//! `agorai`: a user's command line, and the same as a library for the end-to-end tests.
//!
//! | module | what is in it |
//! |---|---|
//! | [`args`] | what the command line looks like |
//! | [`chain`] | calls, storage and events of the chain, over a node's RPC |
//! | [`corpus`], [`manifest`] | checks of a dataset before anything is sent, and its description |
//! | [`weights`] | the first weights of a model |
//! | [`commands`] | one file per group of commands |
//! | [`localnet`] | a network of nodes on this machine |
//! | [`demo`] | the whole way from a text to a paid answer |
//! | [`output`] | results on stdout, progress on stderr |
//! | [`error`] | failures and exit codes |

pub mod args;
pub mod chain;
pub mod commands;
pub mod corpus;
pub mod demo;
pub mod error;
pub mod localnet;
pub mod manifest;
pub mod output;
pub mod table;
pub mod weights;

pub use error::{Error, Kind, Result};
