// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps and what members send.

use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, Profile, Sampling, MAX_OUTPUT, MAX_PROMPT, MAX_TOKENS},
    model::Architecture,
    receipt::ClaimDigest,
    Balance, BlobId, JobId, ModelId, RequestId, VersionIndex,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError, UnknownTransaction};

/// Most executors that a runtime may let try one request.
pub const MAX_ATTEMPTS: u32 = 8;
/// Vocabulary of a model whose tokens are bytes.
const BYTES: u32 = 256;
/// Bytes of the output for each token of a model that has a tokenizer.
const TOKEN_BYTES: u64 = 4;
/// Highest temperature, in thousandths.
const MAX_TEMPERATURE: u32 = 10_000;
/// A probability of 1, in thousandths.
const CERTAIN: u32 = 1_000;

/// A prompt.
pub type Prompt = BoundedVec<u8, ConstU32<MAX_PROMPT>>;
/// An answer.
pub type Output = BoundedVec<u8, ConstU32<MAX_OUTPUT>>;

/// How sure the requester wants to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Certainty {
    /// A committee recomputes the answer before anybody is paid.
    Checked,
}

/// Where a request stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum RequestStatus<AccountId, BlockNumber> {
    /// An executor has to answer.
    Waiting {
        /// The executor.
        executor: AccountId,
        /// The block in which it is too late.
        due: BlockNumber,
    },
    /// An executor has answered; its claim is being checked.
    Claimed {
        /// The executor.
        executor: AccountId,
        /// Its answer.
        output: Output,
        /// Tokens of prompt and answer.
        tokens: u32,
    },
    /// Answered, checked and paid.
    Settled {
        /// Who answered.
        executor: AccountId,
        /// The answer.
        output: Output,
        /// Tokens of prompt and answer.
        tokens: u32,
        /// What was paid.
        fee: Balance,
        /// How many have checked it.
        checkers: u32,
    },
    /// Nobody gave an answer that the others confirmed; the whole escrow is released.
    Refunded,
}

/// A request. Model version and price are those of the moment in which it was made.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct RequestRecord<AccountId, BlockNumber> {
    /// Who asks and pays.
    pub who: AccountId,
    /// The model.
    pub model: ModelId,
    /// Its version.
    pub version: VersionIndex,
    /// The version's architecture.
    pub architecture: Architecture,
    /// The version's weights.
    pub weights: BlobId,
    /// Price of a token of prompt or answer.
    pub price: Balance,
    /// The prompt.
    pub prompt: Prompt,
    /// How to sample.
    pub sampling: Sampling,
    /// How sure the requester wants to be.
    pub certainty: Certainty,
    /// The escrow: the most that is paid.
    pub max_fee: Balance,
    /// The job that answers it, the same for every executor.
    pub job: JobId,
    /// The executors that have failed it, in order.
    pub failed: BoundedVec<AccountId, ConstU32<MAX_ATTEMPTS>>,
    /// Where it stands.
    pub status: RequestStatus<AccountId, BlockNumber>,
}

impl<AccountId, BlockNumber> RequestRecord<AccountId, BlockNumber> {
    /// The number of the current attempt, from 0.
    pub fn attempt(&self) -> u32 {
        self.failed.len() as u32
    }

    /// Whether it still has an escrow.
    pub fn is_open(&self) -> bool {
        matches!(
            self.status,
            RequestStatus::Waiting { .. } | RequestStatus::Claimed { .. }
        )
    }

    /// What an executor has to compute for the request of index `request`.
    pub fn generate(&self, request: RequestId) -> GenerateSpec {
        GenerateSpec {
            nonce: request,
            profile: Profile::ExactF32V1,
            architecture: self.architecture,
            weights: self.weights,
            prompt: self.prompt.to_vec(),
            sampling: self.sampling,
        }
    }

    /// What a checker has to compute while a claim is open.
    pub fn check(&self, request: RequestId) -> Option<CheckSpec> {
        match &self.status {
            RequestStatus::Claimed { output, .. } => Some(CheckSpec {
                generate: self.generate(request),
                output: output.to_vec(),
            }),
            _ => None,
        }
    }

    /// What `tokens` cost; never more than the escrow.
    pub fn fee(&self, tokens: u32) -> Balance {
        self.price.saturating_mul(tokens.into()).min(self.max_fee)
    }

    /// Whether an answer of so many bytes, with so many tokens of prompt and answer, could come out of
    /// the job. Where tokens are bytes that fixes the number of tokens; else a token is 4 bytes of the
    /// output, and how many tokens the prompt has is known only within bounds.
    pub fn could_yield(&self, bytes: usize, tokens: u32) -> bool {
        let (bytes, tokens) = (bytes as u64, u64::from(tokens));
        let prompt = self.prompt.len() as u64;
        let answer = match self.architecture.vocab {
            BYTES => bytes,
            _ if bytes % TOKEN_BYTES == 0 => bytes / TOKEN_BYTES,
            _ => return false,
        };
        let prompt_tokens = match self.architecture.vocab {
            BYTES => prompt..=prompt,
            _ => 1..=prompt,
        };
        (1..=u64::from(self.sampling.max_tokens)).contains(&answer)
            && tokens
                .checked_sub(answer)
                .is_some_and(|rest| prompt_tokens.contains(&rest))
    }
}

/// What is wrong with a [`Sampling`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SamplingError {
    /// No token may be generated.
    NoTokens,
    /// More tokens than any request may ask for.
    TooManyTokens,
    /// The temperature is above 10.
    Temperature,
    /// The top-p is above 1.
    TopP,
    /// The stop token is not the model's.
    Stop,
}

/// Refuses what no engine would compute.
pub fn validate_sampling(sampling: &Sampling, architecture: &Architecture) -> Result<(), SamplingError> {
    if sampling.max_tokens == 0 {
        return Err(SamplingError::NoTokens);
    }
    if sampling.max_tokens > MAX_TOKENS {
        return Err(SamplingError::TooManyTokens);
    }
    if sampling.temperature_milli > MAX_TEMPERATURE {
        return Err(SamplingError::Temperature);
    }
    if sampling.top_p_milli > CERTAIN {
        return Err(SamplingError::TopP);
    }
    if sampling.stop.is_some_and(|stop| stop >= architecture.vocab) {
        return Err(SamplingError::Stop);
    }
    Ok(())
}

/// The most tokens that a request can have: no tokenizer makes more tokens than there are bytes.
pub fn most_tokens(prompt: &Prompt, sampling: &Sampling) -> u64 {
    (prompt.len() as u64).saturating_add(sampling.max_tokens.into())
}

/// The body of a claim message.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimBody {
    /// The attempt, from 0: an account is drawn for a request once, so a claim counts once.
    pub attempt: u32,
    /// The answer, without the prompt.
    pub output: Output,
    /// Tokens of prompt and answer.
    pub tokens: u32,
    /// The claim.
    pub claim: ClaimDigest,
}

/// Why a request goes to another executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Reason {
    /// It has not answered in time.
    Late,
    /// A quorum has computed something else: it was slashed.
    Refused,
    /// Too few have checked its claim in time: it was not slashed.
    Unresolved,
}

/// Why a claim does not get into a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimRefusal {
    /// Signed for another session.
    WrongSession,
    /// No open request has this job.
    NoRequest,
    /// The request has a claim already.
    AlreadyClaimed,
    /// The member is not the request's executor.
    NotExecutor,
    /// The claim is for another attempt.
    WrongAttempt,
    /// Output and tokens cannot come out of the job.
    ImpossibleAnswer,
    /// The claim is about another output.
    WrongResult,
    /// Its author is no member in this session.
    NotAMember,
    /// The signature is not the member's.
    BadSignature,
}

impl ClaimRefusal {
    /// The number that a node reports.
    pub fn code(&self) -> u8 {
        match self {
            Self::WrongSession => 1,
            Self::NoRequest => 2,
            Self::AlreadyClaimed => 3,
            Self::NotExecutor => 4,
            Self::WrongAttempt => 5,
            Self::ImpossibleAnswer => 6,
            Self::WrongResult => 7,
            Self::NotAMember => 8,
            Self::BadSignature => 9,
        }
    }
}

impl From<ClaimRefusal> for TransactionValidityError {
    fn from(refusal: ClaimRefusal) -> Self {
        let code = refusal.code();
        match refusal {
            ClaimRefusal::BadSignature => InvalidTransaction::BadProof.into(),
            // A node that is a block behind will see it differently soon. "Unknown" keeps the pool from
            // banning the transaction, "invalid" would.
            ClaimRefusal::NoRequest | ClaimRefusal::NotExecutor | ClaimRefusal::WrongAttempt => {
                UnknownTransaction::Custom(code).into()
            }
            _ => InvalidTransaction::Custom(code).into(),
        }
    }
}
