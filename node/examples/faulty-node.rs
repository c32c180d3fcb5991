// SPDX-License-Identifier: GPL-3.0-only
//! A node that flips a bit in every blob chunk that it serves. The end-to-end tests start it as one of the validators,
//! and check that its peers reject the chunks.
// `sc_cli::Error` is large; it is returned once per process.
#![allow(clippy::result_large_err)]

use agorai_blobs::{
    protocol::{Request, Response},
    serve::{Responder, Server},
};
use sc_network_types::PeerId;
use std::sync::Arc;

/// Wraps a server and corrupts its chunks.
struct CorruptChunks(Server);

impl Responder for CorruptChunks {
    fn respond(&self, peer: PeerId, request: Request) -> Response {
        match self.0.respond(peer, request) {
            Response::Chunk { size, mut slice } => {
                if let Some(byte) = slice.last_mut() {
                    *byte ^= 1;
                }
                Response::Chunk { size, slice }
            }
            other => other,
        }
    }
}

fn main() -> sc_cli::Result<()> {
    agorai_node::run(|server| Arc::new(CorruptChunks(server)))
}
