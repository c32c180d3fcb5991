// SPDX-License-Identifier: Apache-2.0
//! The claim of an executor.

use crate::request::Output;
use agorai_primitives::receipt::ClaimDigest;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Domain of the signatures of claims.
pub const CLAIM_DOMAIN: &[u8] = b"inference/claim";

/// The body of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimBody {
    /// Index of the attempt, from 0. An executor is drawn at most once for a request.
    pub attempt: u32,
    /// The answer, without the prompt.
    pub output: Output,
    /// Number of tokens of prompt and answer.
    pub tokens: u32,
    /// The hashes to which the executor commits.
    pub claim: ClaimDigest,
}
