// SPDX-License-Identifier: Apache-2.0
//! What the pallet keeps about plans and rounds, and what validators report. Knows no storage.

use agorai_primitives::{
    model::Architecture,
    receipt::ClaimDigest,
    training::{Contribution, Recipe, Score, MAX_SEGMENTS, MAX_WORKERS},
    Balance, BlobId, BlockNumber, DatasetId, ModelId, PlanId, RoundIndex, Shard, VersionIndex,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// Most shards in the corpus of a plan, over all its datasets: the spec of a job holds all of them.
pub const MAX_SHARDS: u32 = 1_024;

/// The datasets of a plan, each once.
pub type PlanDatasets = BoundedVec<DatasetId, ConstU32<8>>;
/// The shards of a plan's datasets, in order.
pub type Shards = BoundedVec<Shard, ConstU32<MAX_SHARDS>>;
/// The scores of a round, workers ascending.
pub type Scores = BoundedVec<Score, ConstU32<MAX_WORKERS>>;
/// Error-feedback buffers that accepted contributions left behind.
pub type Feedbacks<AccountId> = BoundedVec<(AccountId, BlobId), ConstU32<MAX_WORKERS>>;

/// Where a round stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Phase {
    /// Members say that they will train.
    Enrol,
    /// Workers train and commit to their contributions.
    Train,
    /// Drawn segments of the contributions are re-executed.
    Audit,
    /// The contributions are measured.
    Score,
    /// The new weights are made.
    Aggregate,
    /// The round is over.
    Done,
}

/// Why a worker's contribution does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum DropReason {
    /// There was none before the deadline. The worker has to enrol again.
    Silent,
    /// No auditor could check it.
    Unaudited,
    /// Too few could check it after an auditor accused it, or was silent.
    Undecided,
    /// It is not what re-execution yields: the worker has been slashed.
    Cheated,
    /// It did not lower the loss on held-out data and on the worker's own.
    NoGain,
    /// Another worker committed to the same payload before.
    Copied,
}

/// Why a round yields no weights. Nobody is slashed or paid for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum VoidReason {
    /// Fewer than the plan's minimum enrolled.
    TooFewWorkers,
    /// The corpus has too few sequences for so many workers.
    TooLittleData,
    /// Fewer than the plan's minimum contributed.
    TooFewContributions,
    /// No contribution passed its audit.
    NothingAudited,
    /// No contribution lowered the loss.
    NoGain,
    /// No executor made a claim that settled.
    NoExecutor,
    /// The model took no new version: it is retired, or full.
    ModelRefused,
}

/// Where a worker stands in its round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum WorkerStatus {
    /// It has not contributed yet.
    Training,
    /// Its contribution waits for its audit.
    Contributed,
    /// Its contribution passed so far.
    Accepted,
    /// Its contribution does not count.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// The audit of one contribution. Auditors are places in [`crate::round::Round::voters`], as bits.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Audit {
    /// The segment that is re-executed.
    pub segment: u32,
    /// When it ends.
    pub until: BlockNumber,
    /// Whether everybody is asked.
    pub widened: bool,
    /// Who is asked.
    pub asked: u64,
    /// Who found what the worker committed to.
    pub matches: u64,
    /// Who found something else.
    pub differs: u64,
}

/// A worker of a round; its place is its index.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Worker<AccountId> {
    /// Who it is.
    pub account: AccountId,
    /// Where it stands.
    pub status: WorkerStatus,
    /// How many contributed before it.
    pub order: u32,
    /// What it committed to.
    pub payload: BlobId,
    /// The audit of that.
    pub audit: Audit,
}

/// New weights and their held-out losses, in micro-nats per token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct NewWeights {
    /// The weights.
    pub weights: BlobId,
    /// Loss of the weights at the start of the round.
    pub loss_before: u64,
    /// Loss of the new ones.
    pub loss_after: u64,
}

/// What an executor claims.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Output {
    /// In phase `Score`.
    Scores(Scores),
    /// In phase `Aggregate`.
    Weights(NewWeights),
}

/// A contribution as it is kept until the round is over.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ContributionRecord {
    /// The compressed pseudo-gradient.
    pub payload: BlobId,
    /// Its length.
    pub payload_bytes: u64,
    /// The error-feedback buffer after the round.
    pub error_feedback: BlobId,
    /// The training state after every segment.
    pub states: BoundedVec<BlobId, ConstU32<MAX_SEGMENTS>>,
    /// Mean loss of the first inner step, in micro-nats per token.
    pub loss_first: u64,
    /// Mean loss of the last inner step, in micro-nats per token.
    pub loss_last: u64,
}

impl From<ContributionRecord> for Contribution {
    fn from(record: ContributionRecord) -> Self {
        Self {
            payload: record.payload,
            payload_bytes: record.payload_bytes,
            error_feedback: record.error_feedback,
            states: record.states.into_inner(),
            loss_first: record.loss_first,
            loss_last: record.loss_last,
        }
    }
}

impl ContributionRecord {
    /// The record of a contribution; `None` where it has more states than a recipe can ask for.
    pub fn new(contribution: Contribution) -> Option<Self> {
        Some(Self {
            payload: contribution.payload,
            payload_bytes: contribution.payload_bytes,
            error_feedback: contribution.error_feedback,
            states: contribution.states.try_into().ok()?,
            loss_first: contribution.loss_first,
            loss_last: contribution.loss_last,
        })
    }

    /// Whether it has a state per segment, a name for every blob, and a payload that is not larger
    /// than a dense one with its indices could be.
    pub fn fits(&self, recipe: &Recipe, architecture: &Architecture) -> bool {
        let most = architecture.parameters().saturating_mul(8).saturating_add(64 * 1024);
        let none = BlobId::default();
        self.states.len() as u32 == recipe.segments()
            && !self.states.contains(&none)
            && self.payload != none
            && self.error_feedback != none
            && self.payload_bytes > 0
            && self.payload_bytes <= most
    }
}

/// Report of a member that will train.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct EnrolBody {
    /// The plan.
    pub plan: PlanId,
    /// The round from which on.
    pub round: RoundIndex,
}

/// Report of a worker that has trained.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ContributionBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// What it commits to.
    pub contribution: ContributionRecord,
}

/// Report of a member that has re-executed a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct AuditBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// The place of the worker whose contribution it is.
    pub worker: u32,
    /// Whether the worker committed to what re-execution yields.
    pub matches: bool,
}

/// Report of an executor.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// How many executors have tried before.
    pub attempt: u32,
    /// The result.
    pub output: Output,
    /// What binds it: `claim.result` is the hash of `output`.
    pub claim: ClaimDigest,
}

/// Where a plan stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum PlanStatus {
    /// Its rounds are made.
    Running,
    /// Its owner has cancelled it; the round that has begun is its last.
    Stopping,
    /// All its rounds are over.
    Completed,
    /// It ended because its owner cancelled it.
    Cancelled,
    /// It ended because too many rounds in a row were void.
    GivenUp,
}

/// A training plan.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PlanRecord<AccountId> {
    /// Who created it, and pays.
    pub owner: AccountId,
    /// What it trains.
    pub model: ModelId,
    /// The model's architecture.
    pub architecture: Architecture,
    /// The version from which the current round starts.
    pub version: VersionIndex,
    /// Its weights.
    pub weights: BlobId,
    /// What it trains on.
    pub datasets: PlanDatasets,
    /// Sequences in them.
    pub sequences: u64,
    /// How.
    pub recipe: Recipe,
    /// Number of rounds.
    pub rounds: u32,
    /// What the workers of a round get, by score.
    pub reward_per_round: Balance,
    /// New shares of the model that they get, by score.
    pub shares_per_round: Balance,
    /// Fewest workers of a round.
    pub minimum_workers: u32,
    /// What is still held on the owner.
    pub escrow: Balance,
    /// What has been paid to workers.
    pub paid: Balance,
    /// The current round.
    pub round: RoundIndex,
    /// Its phase.
    pub phase: Phase,
    /// When that ends at the latest.
    pub deadline: BlockNumber,
    /// How many rounds before the current one were void without one between them that was not.
    pub void_in_a_row: u32,
    /// Where the plan stands.
    pub status: PlanStatus,
}

/// What became of a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RoundSummary {
    /// Number of workers.
    pub workers: u32,
    /// Number of contributions that made the new weights.
    pub accepted: u32,
    /// Why there are no new weights, if so.
    pub void: Option<VoidReason>,
    /// The new version of the model.
    pub version: Option<VersionIndex>,
    /// The weights after the round: the old ones where it was void.
    pub weights: BlobId,
    /// Held-out loss before, in micro-nats per token; 0 where the round was void.
    pub loss_before: u64,
    /// Held-out loss after; 0 where the round was void.
    pub loss_after: u64,
    /// What was paid to the workers.
    pub paid: Balance,
}
