// SPDX-License-Identifier: Apache-2.0
//! A content-addressed blob store and its node-to-node protocol.
//!
//! A blob is any bytes, named by their BLAKE3 hash. It travels in chunks of 1 MiB, each with a proof
//! (its path in the blob's BLAKE3 tree), so that no byte is kept before it is known to belong to the
//! blob, whoever sent it.
//!
//! | module | what is in it |
//! |---|---|
//! | [`chunk`] | the geometry of chunks, their proofs, and the check of one |
//! | [`store`] | blobs on disk |
//! | [`protocol`] | what nodes ask each other and answer |
//! | [`serve`] | answering, within limits |
//! | [`exchange`] | fetching a blob from peers, over any transport |
//! | [`service`] | the transport over a node's network |
//! | [`Blobs`] | what an engine uses: the store, and a source for what it lacks |
#![forbid(unsafe_code)]

mod blobs;
pub mod chunk;
pub mod exchange;
pub mod protocol;
pub mod serve;
pub mod service;
pub mod store;

pub use blobs::{Blobs, BlobsError, Nowhere, Source};
pub use store::{Limits, Store, StoreError};
