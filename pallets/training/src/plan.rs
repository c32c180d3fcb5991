// SPDX-License-Identifier: Apache-2.0
//! The record of a training plan and of its rounds' results. Does not access storage.

use crate::round::{Phase, VoidReason};
use agorai_primitives::{
    model::Architecture, training::Recipe, Balance, BlobId, BlockNumber, DatasetId, ModelId, RoundIndex, VersionIndex,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// The datasets of a plan. Each dataset occurs once.
pub type PlanDatasets = BoundedVec<DatasetId, ConstU32<8>>;

/// The status of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum PlanStatus {
    /// Its rounds are running.
    Running,
    /// Its owner cancelled it; it ends with the current round.
    Stopping,
    /// All its rounds have ended.
    Completed,
    /// It ended because its owner cancelled it or because the model refused a version.
    Cancelled,
    /// It ended because too many consecutive rounds were void.
    Abandoned,
}

/// A training plan.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PlanRecord<AccountId> {
    /// The account that created the plan and pays for it.
    pub owner: AccountId,
    /// The model.
    pub model: ModelId,
    /// The model's architecture.
    pub architecture: Architecture,
    /// The version from which the current round starts.
    pub version: VersionIndex,
    /// The weights of that version.
    pub weights: BlobId,
    /// The datasets.
    pub datasets: PlanDatasets,
    /// Number of sequences of the datasets.
    pub sequences: u64,
    /// The training parameters.
    pub recipe: Recipe,
    /// Number of rounds.
    pub rounds: u32,
    /// Amount paid to the workers of a round by gain, in plancks.
    pub reward_per_round: Balance,
    /// Number of new shares of the model issued to the workers of a round by gain.
    pub shares_per_round: Balance,
    /// Minimum number of workers and of contributions of a round.
    pub minimum_workers: u32,
    /// Amount held on the owner's account, in plancks.
    pub escrow: Balance,
    /// Amount paid to workers so far, in plancks.
    pub paid: Balance,
    /// Index of the current round.
    pub round: RoundIndex,
    /// Phase of the current round.
    pub phase: Phase,
    /// The block in which the phase ends at the latest.
    pub deadline: BlockNumber,
    /// Number of consecutive void rounds before the current round.
    pub void_in_a_row: u32,
    /// The status of the plan.
    pub status: PlanStatus,
}

impl<AccountId> PlanRecord<AccountId> {
    /// Whether the plan has a current round.
    pub fn is_running(&self) -> bool {
        matches!(self.status, PlanStatus::Running | PlanStatus::Stopping)
    }
}

/// The arguments of `create_plan`.
pub struct NewPlan<AccountId> {
    /// The caller.
    pub owner: AccountId,
    /// The model.
    pub model: ModelId,
    /// The version from which the first round starts; `None` for the live version.
    pub base: Option<VersionIndex>,
    /// The datasets.
    pub datasets: PlanDatasets,
    /// Number of rounds.
    pub rounds: u32,
    /// The training parameters.
    pub recipe: Recipe,
    /// Reward of a round, in plancks.
    pub reward_per_round: Balance,
    /// Number of new shares per round.
    pub shares_per_round: Balance,
    /// Minimum number of workers of a round.
    pub minimum_workers: u32,
}

/// The result of a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct RoundSummary {
    /// Number of workers.
    pub workers: u32,
    /// Number of contributions aggregated into the new weights.
    pub accepted: u32,
    /// Why the round has no new weights; `None` if it has.
    pub void: Option<VoidReason>,
    /// The new version of the model; `None` if the round is void.
    pub version: Option<VersionIndex>,
    /// The weights after the round; those before it if the round is void.
    pub weights: BlobId,
    /// Held-out loss before the round, in micro-nats per token; 0 if the round is void.
    pub loss_before: u64,
    /// Held-out loss after the round, in micro-nats per token; 0 if the round is void.
    pub loss_after: u64,
    /// Amount paid to the workers, in plancks.
    pub paid: Balance,
}
