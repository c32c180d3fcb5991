// SPDX-License-Identifier: Apache-2.0
//! Types and traits that several crates of Agorai share.
//!
//! The crate is `no_std` and independent of storage and network. Types that come from outside are bounded, and have a
//! `validate` function to call before they are stored or computed.
//!
//! | module | contents |
//! |---|---|
//! | [`ids`] | identifiers of blobs, models, datasets, plans, jobs |
//! | [`crypto`] | the session key `cmte` that signs job messages |
//! | [`model`] | the architecture of a model |
//! | [`job`] | jobs and their results |
//! | [`training`] | training recipes, contributions and scores |
//! | [`assignment`] | assignment of the sequences of a corpus to workers |
//! | [`draw`] | weighted sampling from a seed |
//! | [`receipt`] | the digests of claims and receipts |
//! | [`merkle`] | the Merkle tree of traces and contributions |
//! | [`message`] | the message that a validator signs when it reports on a job |
//! | [`traits`] | the interfaces between the pallets |
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
