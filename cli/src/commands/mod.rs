// SPDX-License-Identifier: GPL-3.0-only
//! The commands: one module per group, with functions that the demo and the end-to-end tests share.

pub mod blob;
pub mod connection;
pub mod dataset;
pub mod demo;
pub mod infer;
pub mod localnet;
pub mod model;
pub mod train;
