// SPDX-License-Identifier: GPL-3.0-only
//! Access to the chain through a node's RPC: signed calls, storage and events.
//!
//! All state and events are read from finalised blocks, so a result that is shown is never reverted.
//!
//! | module | content |
//! |---|---|
//! | [`client`] | the connection: submitting calls, reading storage |
//! | [`event`], [`event_stream`] | events of one block, and of all finalised blocks in order |
//! | [`value`] | conversion to and from values that the chain's metadata describes |
//! | [`rpc`] | the node's own methods: blobs and provisional text |
//! | [`refusal`], [`dispatch_error`] | errors of the chain, decoded with the metadata, and hints |
//! | [`fault`] | errors of the connection and of decoding |
//! | [`signer`] | key pairs |

pub mod client;
pub mod dispatch_error;
pub mod event;
pub mod event_stream;
pub mod fault;
pub mod refusal;
pub mod rpc;
pub mod signer;
pub mod value;

pub use client::{Call, Chain, Included};
pub use event::Event;
pub use event_stream::EventStream;
