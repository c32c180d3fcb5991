// SPDX-License-Identifier: Apache-2.0
//! The session key `cmte` (sr25519) with which a validator signs its reports on jobs.

use sp_application_crypto::RuntimeAppPublic;
use sp_core::crypto::KeyTypeId;

/// The key type of [`CommitteeId`] in a keystore.
pub const COMMITTEE_KEY_TYPE: KeyTypeId = KeyTypeId(*b"cmte");

mod app {
    use super::COMMITTEE_KEY_TYPE;
    use sp_application_crypto::{app_crypto, sr25519};
    app_crypto!(sr25519, COMMITTEE_KEY_TYPE);
}

/// Public key of a committee member.
pub type CommitteeId = app::Public;
/// Signature of a committee member.
pub type CommitteeSignature = app::Signature;
#[cfg(feature = "std")]
/// Key pair of a committee member.
pub type CommitteePair = app::Pair;

/// Returns the members whose key is in the keystore of this node.
pub fn local_members<A: Clone>(members: &[(A, CommitteeId)]) -> alloc::vec::Vec<(A, CommitteeId)> {
    let local = CommitteeId::all();
    members.iter().filter(|(_, key)| local.contains(key)).cloned().collect()
}
