// SPDX-License-Identifier: Apache-2.0
//! Units of work with a fully determined result, and their results.
//!
//! A spec holds everything that determines the result, so its hash names the job: two validators that
//! hold the same spec must get the same bits.

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

/// Most bytes of a prompt.
pub const MAX_PROMPT: u32 = 8 * 1024;
/// Most tokens of a generation.
pub const MAX_TOKENS: u32 = 4 * 1024;
/// Most bytes of an output: a byte per token for byte-level models, up to 4 with a tokenizer.
pub const MAX_OUTPUT: u32 = 16 * 1024;
/// Most bytes of an encoded spec or result that crosses the host interface.
pub const MAX_JOB_BYTES: u32 = 128 * 1024;

/// The numerics in which a model's results are defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Profile {
    /// `exact-f32-v1`.
    ExactF32V1,
}

/// How the next token is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Sampling {
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// Temperature in thousandths; 0 = always the most likely token.
    pub temperature_milli: u32,
    /// Keep the k most likely tokens; 0 = all.
    pub top_k: u32,
    /// Keep the smallest set whose probability reaches this, in thousandths; 0 or 1000 = all.
    pub top_p_milli: u32,
    /// Seed of the counter-based generator.
    pub seed: u64,
    /// Stop after this token, if given (it is part of the output).
    pub stop: Option<u32>,
}

/// Generate an answer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct GenerateSpec {
    /// What distinguishes equal requests from each other.
    pub nonce: u64,
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// The weights.
    pub weights: BlobId,
    /// The prompt, at most [`MAX_PROMPT`] bytes.
    pub prompt: Vec<u8>,
    /// How to sample.
    pub sampling: Sampling,
}

/// Check a generation by one prefill over prompt and output.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CheckSpec {
    /// The generation.
    pub generate: GenerateSpec,
    /// The output that the executor claims.
    pub output: Vec<u8>,
}

/// Train one worker's share of a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct TrainSpec {
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// The weights at the start of the round.
    pub base: BlobId,
    /// The recipe.
    pub recipe: Recipe,
    /// The data.
    pub corpus: Corpus,
    /// Keys the assignment of data.
    pub seed: H256,
    /// Inner steps that earlier rounds of the plan have made (place in the schedule of rates).
    pub steps_before: u32,
    /// Inner steps of the whole plan (end of the schedule of rates).
    pub steps_total: u32,
    /// This worker's place among `workers`.
    pub worker: u32,
    /// Number of workers of the round.
    pub workers: u32,
    /// The worker's error-feedback buffer after its last round, if it has one.
    pub error_feedback: Option<BlobId>,
}

/// Re-execute one segment of a contribution and, for the last segment, its compression.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditSpec {
    /// What the worker had to do.
    pub train: TrainSpec,
    /// What it committed to.
    pub contribution: Contribution,
    /// The segment, from 0.
    pub segment: u32,
}

/// Measure every contribution of a round on held-out data.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ScoreSpec {
    /// Numerics.
    pub profile: Profile,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// The weights at the start of the round.
    pub base: BlobId,
    /// The recipe.
    pub recipe: Recipe,
    /// The data.
    pub corpus: Corpus,
    /// Keys the assignment of data.
    pub seed: H256,
    /// Draws the held-out sequences; known only after all contributions.
    pub draw: H256,
    /// Number of workers to which the data was assigned.
    pub workers: u32,
    /// Worker and payload of every audited contribution, workers ascending.
    pub contributions: Vec<(u32, BlobId)>,
}

/// Make the next weights out of the accepted contributions.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AggregateSpec {
    /// As scored; `contributions` are the accepted ones.
    pub score: ScoreSpec,
}

/// A unit of work.
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
    /// Make the next weights.
    Aggregate(AggregateSpec),
}

impl JobSpec {
    /// The name of the job.
    pub fn id(&self) -> JobId {
        (b"agorai/job/1", self).using_encoded(blake2_256).into()
    }
}

/// The result of a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum JobResult {
    /// Of [`JobSpec::Generate`].
    Generated {
        /// The answer, without the prompt.
        output: Vec<u8>,
        /// Number of tokens of prompt and answer.
        tokens: u32,
        /// Its trace.
        trace: Trace,
    },
    /// Of [`JobSpec::Check`]: what an honest executor would have claimed for prompt and output. A wrong
    /// output has another trace than its executor's claim, or `None` where the output could not have
    /// been sampled.
    Checked {
        /// The trace, if every token of the output is the one that sampling yields.
        trace: Option<Trace>,
    },
    /// Of [`JobSpec::Train`].
    Trained(Contribution),
    /// Of [`JobSpec::Audit`]: whether the committed state (and payload) is what re-execution yields.
    Audited {
        /// The verdict.
        matches: bool,
    },
    /// Of [`JobSpec::Score`].
    Scored {
        /// Per contribution, in the spec's order.
        scores: Vec<Score>,
        /// Its trace.
        trace: Trace,
    },
    /// Of [`JobSpec::Aggregate`].
    Aggregated {
        /// The new weights.
        weights: BlobId,
        /// Held-out loss of the base, in micro-nats per token.
        loss_before: u64,
        /// Held-out loss of the new weights.
        loss_after: u64,
        /// Its trace.
        trace: Trace,
    },
}

/// Why a job has no result. None of these is fraud: "wrong" and "could not do" are different.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum JobFailure {
    /// There is no engine behind this node.
    NoEngine,
    /// A blob could not be had from any peer.
    BlobUnavailable,
    /// The spec or a blob it names makes no sense (wrong shapes, not a number, too large).
    Invalid,
    /// The engine was interrupted or has failed.
    Interrupted,
    /// Too many jobs wait; try again later.
    Busy,
}

/// Where a job stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobStatus {
    /// Never heard of, or forgotten.
    Unknown,
    /// Waiting or running.
    Pending,
    /// Done.
    Done(JobResult),
    /// Failed; enqueueing it again tries again.
    Failed(JobFailure),
}
