// SPDX-License-Identifier: Apache-2.0
//! Code that several pallets of Agorai share.
//!
//! | module | contents |
//! |---|---|
//! | [`name`] | names of records |
//! | [`nested`] | errors of crates without FRAME in a pallet's `Error` |
//! | [`reports`] | reports that validators sign with their session key: checks, pool parameters, submission |
//! | [`storage`] | operations on lists in storage |
//!
//! This crate has no storage, calls or events of its own.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod name;
pub mod nested;
pub mod reports;
pub mod storage;

pub use nested::Nested;
pub use reports::{ReportRefusal, SignedReports};
