// SPDX-License-Identifier: Apache-2.0
//! The Agorai runtime.
//!
//! | module | contents |
//! |---|---|
//! | crate root | the pallets, the types of blocks and transactions, the session keys |
//! | [`constants`] | units of the currency and of time, the treasury account |
//! | [`configs`] | configuration of each pallet, one file per concern |
//! | [`apis`] | implementation of the runtime APIs |
//! | [`presets`] | genesis presets of the `development` and `local` chains |
#![cfg_attr(not(feature = "std"), no_std)]
// The macros of FRAME generate items without documentation.
#![allow(missing_docs)]
// The runtime macros recurse over all pallets.
#![recursion_limit = "512"]

extern crate alloc;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

pub mod apis;
pub mod configs;
pub mod constants;
pub mod presets;
mod types;

// The macros of FRAME name `Vec`, which no prelude of `no_std` has.
use alloc::vec::Vec;

pub use agorai_primitives::{Balance, BlockNumber};
pub use apis::{RuntimeApi, VERSION};
pub use types::*;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(2)]
    pub type Preimage = pallet_preimage;

    // Babe comes before Session: it reads the slot of the block before a session can end.
    #[runtime::pallet_index(3)]
    pub type Babe = pallet_babe;
    #[runtime::pallet_index(4)]
    pub type Timestamp = pallet_timestamp;

    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(6)]
    pub type TransactionPayment = pallet_transaction_payment;

    // Validators comes before Session: the genesis of Session requests the first set from it.
    #[runtime::pallet_index(10)]
    pub type Authorship = pallet_authorship;
    #[runtime::pallet_index(11)]
    pub type Validators = pallet_validators;
    #[runtime::pallet_index(12)]
    pub type Offences = pallet_offences;
    #[runtime::pallet_index(13)]
    pub type Historical = pallet_session::historical;
    #[runtime::pallet_index(14)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(15)]
    pub type Grandpa = pallet_grandpa;
    #[runtime::pallet_index(16)]
    pub type AuthorityDiscovery = pallet_authority_discovery;

    #[runtime::pallet_index(30)]
    pub type Datasets = pallet_datasets;
    #[runtime::pallet_index(31)]
    pub type Models = pallet_models;
    #[runtime::pallet_index(32)]
    pub type Verification = pallet_verification;
    #[runtime::pallet_index(33)]
    pub type Inference = pallet_inference;
    #[runtime::pallet_index(34)]
    pub type Training = pallet_training;

    #[runtime::pallet_index(20)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(21)]
    pub type Proxy = pallet_proxy;
    #[runtime::pallet_index(22)]
    pub type Multisig = pallet_multisig;
}
