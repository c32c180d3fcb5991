// SPDX-License-Identifier: Apache-2.0
//! The digests of claims and receipts.
//!
//! An executor claims a result hash, a trace root and the commitment `H(secret)` to the trace secret. A checker that
//! recomputed the same trace knows the secret and submits the receipt `H(account || job || secret)`, which another
//! account cannot copy and which requires the secret. When the secret is revealed, the chain verifies all
//! receipts at once.

use crate::{training::Score, BlobId, JobId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// The digests of an execution of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Trace {
    /// Hash of the output.
    pub result: H256,
    /// Merkle root over the leaves of the trace.
    pub root: H256,
    /// The trace secret: a second digest of the same leaves, which cannot be derived from the root.
    pub secret: H256,
}

impl Trace {
    /// Returns the digest that the executor publishes before the checkers answer.
    pub fn claim(&self) -> ClaimDigest {
        ClaimDigest {
            result: self.result,
            root: self.root,
            secret_commitment: secret_commitment(&self.secret),
        }
    }
}

/// The digest that an executor claims under its bond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimDigest {
    /// Hash of the output.
    pub result: H256,
    /// Merkle root over the leaves of the trace.
    pub root: H256,
    /// Commitment to the trace secret: `H(secret)`.
    pub secret_commitment: H256,
}

/// Returns the commitment to a trace secret.
pub fn secret_commitment(secret: &H256) -> H256 {
    (b"agorai/secret/1", secret).using_encoded(blake2_256).into()
}

/// Returns the receipt of an account: `H(account || job || secret)`.
pub fn receipt<AccountId: Encode>(account: &AccountId, job: &JobId, secret: &H256) -> H256 {
    (b"agorai/receipt/1", account, job, secret)
        .using_encoded(blake2_256)
        .into()
}

/// Returns the result hash of a generation: the hash of its output and of the number of tokens of prompt and output,
/// which determines the fee.
pub fn output_result(output: &[u8], tokens: u32) -> H256 {
    (b"agorai/output/1", output, tokens).using_encoded(blake2_256).into()
}

/// Returns the result hash of the scores of a round.
pub fn scores_result(scores: &[Score]) -> H256 {
    (b"agorai/scores/1", scores).using_encoded(blake2_256).into()
}

/// Returns the result hash of the new weights of a round and their held-out losses, in micro-nats per token.
pub fn weights_result(weights: &BlobId, loss_before: u64, loss_after: u64) -> H256 {
    (b"agorai/weights/1", weights, loss_before, loss_after)
        .using_encoded(blake2_256)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_differ_between_accounts_jobs_and_secrets() {
        let (job, secret) = (H256([1; 32]), H256([2; 32]));
        let mine = receipt(&1u64, &job, &secret);
        assert_ne!(mine, receipt(&2u64, &job, &secret));
        assert_ne!(mine, receipt(&1u64, &H256([3; 32]), &secret));
        assert_ne!(mine, receipt(&1u64, &job, &H256([3; 32])));
    }
}
