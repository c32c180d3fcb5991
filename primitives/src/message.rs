// SPDX-License-Identifier: Apache-2.0
//! The message that a validator signs when it reports on a job.

use crate::{CommitteeId, CommitteeSignature, JobId, SessionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_application_crypto::RuntimeAppPublic;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// A report of `member` on `job`. The signature covers the message, a domain (one per call) and the genesis hash, so it
/// is not valid for another call or chain.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Message<AccountId, Body> {
    /// Account of the validator.
    pub member: AccountId,
    /// The session in which the validator's key is valid.
    pub session: SessionIndex,
    /// Identifier of the job.
    pub job: JobId,
    /// Content of the report.
    pub body: Body,
}

impl<AccountId: Encode, Body: Encode> Message<AccountId, Body> {
    /// Returns the bytes to sign.
    pub fn digest(&self, domain: &[u8], genesis: &H256) -> [u8; 32] {
        (b"agorai/message/1", domain, genesis, self).using_encoded(blake2_256)
    }

    /// Signs the message with `key` from the local keystore. Returns `None` if the keystore lacks the key.
    pub fn sign(&self, domain: &[u8], genesis: &H256, key: &CommitteeId) -> Option<CommitteeSignature> {
        key.sign(&self.digest(domain, genesis))
    }

    /// Whether `signature` is a signature of the message by `key`.
    pub fn verify(&self, domain: &[u8], genesis: &H256, key: &CommitteeId, signature: &CommitteeSignature) -> bool {
        key.verify(&self.digest(domain, genesis), signature)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::crypto::CommitteePair;
    use sp_core::Pair;

    #[test]
    fn signature_is_bound_to_domain_chain_session_and_body() {
        let (pair, _) = CommitteePair::generate();
        let message = Message {
            member: 7u64,
            session: 3,
            job: H256([9; 32]),
            body: 5u32,
        };
        let genesis = H256([1; 32]);
        let signature = pair.sign(&message.digest(b"here", &genesis));
        let key = pair.public();
        assert!(message.verify(b"here", &genesis, &key, &signature));
        assert!(!message.verify(b"there", &genesis, &key, &signature));
        assert!(!message.verify(b"here", &H256([2; 32]), &key, &signature));
        let later = Message {
            session: 4,
            ..message.clone()
        };
        assert!(!later.verify(b"here", &genesis, &key, &signature));
        let other = Message { body: 6, ..message };
        assert!(!other.verify(b"here", &genesis, &key, &signature));
    }
}
