// SPDX-License-Identifier: GPL-3.0-only
//! The binary `agorai-node`.
// `sc_cli::Error` is large; it is returned once per process.
#![allow(clippy::result_large_err)]

use std::sync::Arc;

fn main() -> sc_cli::Result<()> {
    agorai_node::run(|server| Arc::new(server))
}
