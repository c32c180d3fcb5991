// SPDX-License-Identifier: Apache-2.0
//! What a validator signs when it reports on a job.

use crate::{CommitteeId, CommitteeSignature, JobId, SessionIndex};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_application_crypto::RuntimeAppPublic;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// A report of `member` on `job`. The signature of the transaction's session key covers it together
/// with a domain (one per call) and the chain's genesis hash, so it is worth nothing anywhere else.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Message<AccountId, Body> {
    /// The validator that reports.
    pub member: AccountId,
    /// The session in which its key is valid.
    pub session: SessionIndex,
    /// The job.
    pub job: JobId,
    /// The report.
    pub body: Body,
}

impl<AccountId: Encode, Body: Encode> Message<AccountId, Body> {
    /// The bytes that are signed.
    pub fn digest(&self, domain: &[u8], genesis: &H256) -> [u8; 32] {
        (b"agorai/message/1", domain, genesis, self).using_encoded(blake2_256)
    }

    /// Signs with `key` of the local keystore; `None` where the keystore lacks it.
    pub fn sign(&self, domain: &[u8], genesis: &H256, key: &CommitteeId) -> Option<CommitteeSignature> {
        key.sign(&self.digest(domain, genesis))
    }

    /// Whether `signature` is `key`'s.
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
