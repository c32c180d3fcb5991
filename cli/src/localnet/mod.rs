// SPDX-License-Identifier: GPL-3.0-only
//! A network of validators on this machine: one process each, on loopback, from one chain spec.
//!
//! Each validator has its own keys, database, blobs and log in its folder. Only processes that a [`Network`] started
//! are stopped by it, and all of them are killed when it is dropped.

mod binary;
mod network;
mod node;
mod ports;
mod shutdown;

pub use binary::find_node;
pub use network::{Network, Settings, NAMES};
pub use ports::free_base_port;
pub use shutdown::stop_signal;
