// SPDX-License-Identifier: Apache-2.0
//! Messages of the blob protocol, and chunks with their proofs.
#![no_main]
#![allow(dead_code)]

use agorai_primitives::BlobId;
use protocol::{Request, Response};

// The two modules alone: with their crate the fuzzer would instrument the node's network.
#[path = "../../offchain-workers/blobs/src/chunk.rs"]
mod chunk;
#[path = "../../offchain-workers/blobs/src/protocol.rs"]
mod protocol;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Request::from_bytes(data);
    if let Ok(Response::Chunk { size, slice }) = Response::from_bytes(data) {
        // A blob of one chunk is its own proof, under its own size only.
        let id = BlobId::of(&slice);
        let is_whole = size == slice.len() as u64 && chunk::count(size) == 1;
        assert_eq!(chunk::verify(&id, size, 0, &slice).is_ok(), is_whole);
        for index in [chunk::count(size) - 1, size] {
            let _ = chunk::verify(&BlobId([0; 32]), size, index, &slice);
        }
    }
});
