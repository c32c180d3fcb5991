// SPDX-License-Identifier: Apache-2.0
//! A content-addressed blob store and its node-to-node protocol.
//!
//! A blob is a byte string whose id is its BLAKE3 hash. Blobs are transferred in chunks of 1 MiB, each with a proof
//! (its path in the blob's BLAKE3 tree), so that every chunk is verified before it is stored.
//!
//! | module | contents |
//! |---|---|
//! | [`chunk`] | chunks: sizes, proofs, verification |
//! | [`store`] | blobs on disk |
//! | [`source`] | the interface through which missing blobs are fetched |
//! | [`Blobs`] | read access to all blobs: a store, completed from a source |
//! | [`protocol`] | the messages between nodes |
//! | [`serve`] | serving chunks to peers, with a rate limit per peer |
//! | [`exchange`] | fetching blobs from peers, over any transport |
//! | [`service`] | the binding of the protocol to the network of a Substrate node |
#![forbid(unsafe_code)]

mod blobs;
pub mod chunk;
pub mod exchange;
pub mod protocol;
pub mod serve;
pub mod service;
pub mod source;
pub mod store;

pub use blobs::{Blobs, BlobsError};
pub use source::{FetchError, NoSource, Source};
pub use store::{Store, StoreError, StoreLimits};
