// SPDX-License-Identifier: Apache-2.0
//! Jobs: units of work with a fully determined result, and their results.
//!
//! A spec contains everything that determines the result, and its hash identifies the job: validators with the same
//! spec compute the same bits.

use crate::{
    model::Architecture,
    receipt::Trace,
    training::{Contribution, Corpus, Recipe, Score},
    BlobId, JobId,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Maximum size of a prompt in bytes.
pub const MAX_PROMPT: u32 = 8 * 1024;
/// Maximum number of generated tokens.
pub const MAX_TOKENS: u32 = 4 * 1024;
/// Maximum size of an output in bytes: one byte per token for byte-level models, up to 4 with a tokenizer.
pub const MAX_OUTPUT: u32 = 16 * 1024;
/// Maximum size in bytes of an encoded spec or result that crosses the engine interface.
pub const MAX_JOB_BYTES: u32 = 128 * 1024;

/// The numerics that define the results of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Profile {
    /// `exact-f32-v1`.
    ExactF32V1,
}

/// Sampling parameters of a generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Sampling {
    /// Maximum number of tokens to generate.
    pub max_tokens: u32,
    /// Temperature in thousandths; 0 = greedy decoding.
    pub temperature_milli: u32,
    /// Sample among the k most likely tokens; 0 = all.
    pub top_k: u32,
    /// Sample among the smallest set of tokens whose probability reaches this, in thousandths; 0 or 1000 = all.
    pub top_p_milli: u32,
    /// Seed of the counter-based random number generator.
    pub seed: u64,
    /// Stop after this token, which is part of the output.
    pub stop: Option<u32>,
}

/// Spec of a generation.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct GenerateSpec {
    /// Distinguishes requests that are equal otherwise.
    pub nonce: u64,
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// Identifier of the weights.
    pub weights: BlobId,
    /// The prompt: at most [`MAX_PROMPT`] bytes.
    pub prompt: Vec<u8>,
    /// Sampling parameters.
    pub sampling: Sampling,
}

/// Spec of a check: one prefill over the prompt and the output of a generation.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CheckSpec {
    /// The generation.
    pub generate: GenerateSpec,
    /// The claimed output.
    pub output: Vec<u8>,
}

/// Spec of the training of one worker in a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct TrainSpec {
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// Identifier of the weights at the start of the round.
    pub base: BlobId,
    /// The recipe.
    pub recipe: Recipe,
    /// The data.
    pub corpus: Corpus,
    /// Seed of the assignment of data.
    pub seed: H256,
    /// Number of inner steps in earlier rounds of the plan: the position in the learning rate schedule.
    pub steps_before: u32,
    /// Number of inner steps of the plan: the end of the learning rate schedule.
    pub steps_total: u32,
    /// Index of the worker, below `workers`.
    pub worker: u32,
    /// Number of workers in the round.
    pub workers: u32,
    /// Error-feedback buffer of the worker after its last round, if there is one.
    pub error_feedback: Option<BlobId>,
}

/// Spec of an audit: the re-execution of one segment of a contribution and, for the last segment, of its compression.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditSpec {
    /// Spec of the worker's training.
    pub train: TrainSpec,
    /// The worker's contribution.
    pub contribution: Contribution,
    /// Index of the segment, from 0.
    pub segment: u32,
}

/// Spec of the scores of a round: the loss of every contribution on held-out data.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ScoreSpec {
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// Identifier of the weights at the start of the round.
    pub base: BlobId,
    /// The recipe.
    pub recipe: Recipe,
    /// The data.
    pub corpus: Corpus,
    /// Seed of the assignment of data.
    pub seed: H256,
    /// Seed that selects the held-out sequences; unknown before all contributions are made.
    pub draw: H256,
    /// Number of workers in the assignment of data.
    pub workers: u32,
    /// Worker index and payload of every audited contribution, in ascending order of workers.
    pub contributions: Vec<(u32, BlobId)>,
}

/// Spec of the aggregation of the accepted contributions into new weights.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AggregateSpec {
    /// The spec of the scores, with the accepted contributions only.
    pub score: ScoreSpec,
}

/// Spec of a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum JobSpec {
    /// Generate an answer.
    Generate(GenerateSpec),
    /// Check a generation.
    Check(CheckSpec),
    /// Train in a round.
    Train(TrainSpec),
    /// Audit a contribution.
    Audit(AuditSpec),
    /// Score contributions.
    Score(ScoreSpec),
    /// Aggregate contributions into new weights.
    Aggregate(AggregateSpec),
}

impl JobSpec {
    /// Returns the identifier of the job.
    pub fn id(&self) -> JobId {
        (b"agorai/job/1", self).using_encoded(blake2_256).into()
    }
}

/// The result of a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum JobResult {
    /// Result of [`JobSpec::Generate`].
    Generated {
        /// The output, without the prompt.
        output: Vec<u8>,
        /// Number of tokens of prompt and output.
        tokens: u32,
        /// Trace of the computation.
        trace: Trace,
    },
    /// Result of [`JobSpec::Check`]: the trace that an honest executor claims for the prompt and the output. For a wrong
    /// output it differs from the claim, or is `None` if sampling does not yield the output.
    Checked {
        /// The trace, if sampling yields every token of the output.
        trace: Option<Trace>,
    },
    /// Result of [`JobSpec::Train`].
    Trained(Contribution),
    /// Result of [`JobSpec::Audit`].
    Audited {
        /// Whether re-execution yields the committed state and, for the last segment, the payload.
        matches: bool,
    },
    /// Result of [`JobSpec::Score`].
    Scored {
        /// One score per contribution, in the order of the spec.
        scores: Vec<Score>,
        /// Trace of the computation.
        trace: Trace,
    },
    /// Result of [`JobSpec::Aggregate`].
    Aggregated {
        /// Identifier of the new weights.
        weights: BlobId,
        /// Held-out loss of the weights at the start of the round, in micro-nats per token.
        loss_before: u64,
        /// Held-out loss of the new weights, in micro-nats per token.
        loss_after: u64,
        /// Trace of the computation.
        trace: Trace,
    },
}

/// Why a job has no result. A failure is never treated as a wrong result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum JobFailure {
    /// This node has no engine.
    NoEngine,
    /// No peer provided a blob that the job needs.
    BlobUnavailable,
    /// The spec or a blob that it names is invalid (wrong shape, not a number, too large).
    Invalid,
    /// The engine stopped or failed.
    Interrupted,
    /// The queue of the engine is full.
    Busy,
}

/// The status of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobStatus {
    /// The engine does not know the job, or has evicted it.
    Unknown,
    /// The job is queued or running.
    Pending,
    /// The job is done.
    Done(JobResult),
    /// The job failed. Enqueueing it again retries it.
    Failed(JobFailure),
}
