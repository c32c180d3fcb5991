// SPDX-License-Identifier: GPL-3.0-only
//! The binary `agorai-node`.

use std::sync::Arc;

fn main() -> sc_cli::Result<()> {
    agorai_node::run(|server| Arc::new(server))
}
