// SPDX-License-Identifier: Apache-2.0
//! Types and traits that cross a border between Agorai's crates.
//!
//! Everything here is `no_std`, knows no storage and no network, and is bounded: what comes from
//! outside is checked by `validate` before it is kept or computed.
//!
//! | module | what is in it |
//! |---|---|
//! | [`ids`] | the names of things: blobs, models, datasets, plans, jobs |
//! | [`crypto`] | the session key `cmte` that signs job messages |
//! | [`model`] | the architecture of a model |
//! | [`job`] | units of work with a fully determined result, and their results |
//! | [`training`] | recipes of training and the contributions of a round |
//! | [`assignment`] | which sequences of a dataset belong to which worker and step |
//! | [`draw`] | draws by weight from a seed |
//! | [`receipt`] | the digests that bind a claim and its receipts |
//! | [`merkle`] | the Merkle tree of traces and contributions |
//! | [`message`] | what a validator signs when it reports on a job |
//! | [`traits`] | how the pallets meet |
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod assignment;
pub mod crypto;
pub mod draw;
pub mod ids;
pub mod job;
pub mod merkle;
pub mod message;
pub mod model;
pub mod receipt;
pub mod training;
pub mod traits;

pub use crypto::{CommitteeId, CommitteeSignature, COMMITTEE_KEY_TYPE};
pub use ids::*;
