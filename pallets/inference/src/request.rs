// SPDX-License-Identifier: Apache-2.0
//! The record of a request. Does not access storage.

use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, Profile, Sampling, MAX_OUTPUT, MAX_PROMPT},
    model::Architecture,
    Balance, BlobId, JobId, ModelId, RequestId, VersionIndex,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// Maximum number of executors of one request that a record can hold.
pub const MAX_ATTEMPTS: u32 = 8;
/// Vocabulary size of models whose tokens are bytes.
const BYTE_VOCAB: u32 = 256;
/// Bytes of the output for each token of a model with a tokenizer.
const TOKEN_BYTES: u64 = 4;

/// A prompt.
pub type Prompt = BoundedVec<u8, ConstU32<MAX_PROMPT>>;
/// An answer, without its prompt.
pub type Output = BoundedVec<u8, ConstU32<MAX_OUTPUT>>;

/// How an answer is checked before it is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Certainty {
    /// A committee recomputes the answer.
    Checked,
}

/// Why a request is reassigned to another executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ReassignReason {
    /// The executor did not claim an answer before its deadline.
    Late,
    /// A quorum computed another result; the executor was slashed.
    Refused,
    /// Too few members checked the claim in time; the executor was not slashed.
    Unresolved,
}

/// The status of a request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum RequestStatus<AccountId, BlockNumber> {
    /// An executor has to claim an answer.
    Waiting {
        /// The executor.
        executor: AccountId,
        /// The block in which its deadline expires.
        due: BlockNumber,
    },
    /// An executor claimed an answer, which is being checked.
    Claimed {
        /// The executor.
        executor: AccountId,
        /// Its answer.
        output: Output,
        /// Number of tokens of prompt and answer.
        tokens: u32,
    },
    /// The answer was confirmed and the fee paid.
    Settled {
        /// The executor.
        executor: AccountId,
        /// The answer.
        output: Output,
        /// Number of tokens of prompt and answer.
        tokens: u32,
        /// The fee paid, in plancks.
        fee: Balance,
        /// Number of checkers whose receipts were valid.
        checkers: u32,
    },
    /// No executor claimed an answer that was confirmed; the whole escrow was released.
    Refunded,
}

/// A request. Version and price are those of the block in which it was created.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct RequestRecord<AccountId, BlockNumber> {
    /// The requester, who pays the fee.
    pub who: AccountId,
    /// The model.
    pub model: ModelId,
    /// The version of the model.
    pub version: VersionIndex,
    /// The version's architecture.
    pub architecture: Architecture,
    /// The version's weights.
    pub weights: BlobId,
    /// Price of one token of prompt or answer, in plancks.
    pub price: Balance,
    /// The prompt.
    pub prompt: Prompt,
    /// The sampling parameters.
    pub sampling: Sampling,
    /// How the answer is checked.
    pub certainty: Certainty,
    /// The escrow and upper bound of the fee, in plancks.
    pub max_fee: Balance,
    /// The job that answers the request. It is the same for every executor.
    pub job: JobId,
    /// The executors that failed, in order.
    pub failed: BoundedVec<AccountId, ConstU32<MAX_ATTEMPTS>>,
    /// The status of the request.
    pub status: RequestStatus<AccountId, BlockNumber>,
}

impl<AccountId, BlockNumber> RequestRecord<AccountId, BlockNumber> {
    /// The index of the current attempt, from 0.
    pub fn attempt(&self) -> u32 {
        self.failed.len() as u32
    }

    /// Whether the request is waiting or claimed, so that its escrow is held.
    pub fn is_open(&self) -> bool {
        matches!(
            self.status,
            RequestStatus::Waiting { .. } | RequestStatus::Claimed { .. }
        )
    }

    /// The job of an executor; `request` is the id of this request.
    pub fn generate_spec(&self, request: RequestId) -> GenerateSpec {
        GenerateSpec {
            nonce: request,
            profile: Profile::ExactF32V1,
            architecture: self.architecture,
            weights: self.weights,
            prompt: self.prompt.to_vec(),
            sampling: self.sampling,
        }
    }

    /// The job of a checker; `None` unless the request is claimed. `request` is the id of this request.
    pub fn check_spec(&self, request: RequestId) -> Option<CheckSpec> {
        match &self.status {
            RequestStatus::Claimed { output, .. } => Some(CheckSpec {
                generate: self.generate_spec(request),
                output: output.to_vec(),
            }),
            _ => None,
        }
    }

    /// The fee for a number of tokens of prompt and answer, in plancks; at most the escrow.
    pub fn fee(&self, tokens: u32) -> Balance {
        self.price.saturating_mul(tokens.into()).min(self.max_fee)
    }

    /// Whether the job can have an answer of `bytes` bytes where prompt and answer have `tokens` tokens.
    ///
    /// If tokens are bytes, the number of tokens follows from the length of the answer. Otherwise a token is 4 bytes of
    /// the answer, and the number of tokens of the prompt is only known to be between 1 and its length in bytes.
    pub fn is_possible_answer(&self, bytes: usize, tokens: u32) -> bool {
        let (bytes, tokens) = (bytes as u64, u64::from(tokens));
        let prompt_bytes = self.prompt.len() as u64;
        let answer_tokens = match self.architecture.vocab {
            BYTE_VOCAB => bytes,
            _ if bytes % TOKEN_BYTES == 0 => bytes / TOKEN_BYTES,
            _ => return false,
        };
        let prompt_tokens = match self.architecture.vocab {
            BYTE_VOCAB => prompt_bytes..=prompt_bytes,
            _ => 1..=prompt_bytes,
        };
        (1..=u64::from(self.sampling.max_tokens)).contains(&answer_tokens)
            && tokens
                .checked_sub(answer_tokens)
                .is_some_and(|rest| prompt_tokens.contains(&rest))
    }
}
