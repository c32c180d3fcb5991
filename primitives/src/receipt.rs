// SPDX-License-Identifier: Apache-2.0
//! The digests that bind a claim and its receipts.
//!
//! An executor claims `(result, trace root, H(S))`. A checker that recomputed the same trace knows S and
//! posts `H(account || job || S)`: it binds the checker, cannot be copied by another account, and cannot
//! be made without S. Once S is opened, everybody checks all receipts at once.

use crate::{training::Score, BlobId, JobId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// What an execution of a job yields, besides its output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Trace {
    /// Hash of the output.
    pub result: H256,
    /// Merkle root over the leaves of the computation.
    pub root: H256,
    /// S: a second digest of the same leaves that the root does not reveal.
    pub secret: H256,
}

impl Trace {
    /// What the executor may publish before the checkers have answered.
    pub fn claim(&self) -> ClaimDigest {
        ClaimDigest {
            result: self.result,
            root: self.root,
            secret_hash: secret_hash(&self.secret),
        }
    }
}

/// What an executor claims under its bond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimDigest {
    /// Hash of the output.
    pub result: H256,
    /// Merkle root over the leaves of the computation.
    pub root: H256,
    /// `H(S)`.
    pub secret_hash: H256,
}

/// `H(S)`.
pub fn secret_hash(secret: &H256) -> H256 {
    (b"agorai/secret/1", secret).using_encoded(blake2_256).into()
}

/// `H(account || job || S)`.
pub fn receipt<AccountId: Encode>(account: &AccountId, job: &JobId, secret: &H256) -> H256 {
    (b"agorai/receipt/1", account, job, secret)
        .using_encoded(blake2_256)
        .into()
}

/// The result hash of a generation: its output and how many tokens were computed, which sets the fee.
pub fn output_result(output: &[u8], tokens: u32) -> H256 {
    (b"agorai/output/1", output, tokens).using_encoded(blake2_256).into()
}

/// The result hash of the scores of a round.
pub fn scores_result(scores: &[Score]) -> H256 {
    (b"agorai/scores/1", scores).using_encoded(blake2_256).into()
}

/// The result hash of the new weights of a round and their held-out losses.
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
