// SPDX-License-Identifier: Apache-2.0
//! How the pallets meet: each knows the others only by these traits, wired together in the runtime.

use crate::{
    job::JobSpec, model::Architecture, receipt::ClaimDigest, Balance, BlobId, CommitteeId, DatasetId, JobId, ModelId,
    SessionIndex, Shard, VersionIndex,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{DispatchError, Perbill};

/// A validator that may do jobs now: in the session set and not chilled.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Member<AccountId> {
    /// Its account.
    pub account: AccountId,
    /// Its key for job messages in this session.
    pub key: CommitteeId,
    /// Its bond, the weight of its voice.
    pub bond: Balance,
}

/// Who may do jobs. Implemented by pallet `validators`.
pub trait SessionMembers<AccountId> {
    /// The current session.
    fn session() -> SessionIndex;
    /// All who may do jobs now, in the session's order.
    fn members() -> Vec<Member<AccountId>>;
    /// One of them.
    fn member(account: &AccountId) -> Option<Member<AccountId>>;
}

/// Why a bond is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Fault {
    /// Claimed a result that a quorum recomputed otherwise.
    WrongClaim,
    /// Disputed a claim that a quorum confirmed.
    WrongDispute,
    /// Committed to a contribution that re-execution does not yield.
    WrongContribution,
    /// Accused a contribution that re-execution confirmed.
    WrongAudit,
}

/// Cuts bonds on evidence. Implemented by pallet `validators`.
pub trait Slash<AccountId> {
    /// Cuts `part` of the bond and, for every fault, chills the validator. Returns what was cut.
    fn slash(who: &AccountId, part: Perbill, fault: Fault) -> Balance;
}

/// A dataset as others see it. Implemented by pallet `datasets`.
pub trait DatasetRegistry<AccountId> {
    /// The shards of a dataset that may be used for new training; an error names why not.
    fn usable_shards(dataset: DatasetId) -> Result<Vec<Shard>, DispatchError>;
    /// The contributors and their weights, also of a withdrawn dataset.
    fn contributors(dataset: DatasetId) -> Vec<(AccountId, u32)>;
}

/// What others must know to serve or train a model.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ModelVersion<AccountId> {
    /// The owner.
    pub owner: AccountId,
    /// The architecture.
    pub architecture: Architecture,
    /// The version.
    pub version: VersionIndex,
    /// Its weights.
    pub weights: BlobId,
    /// Price of a token of prompt or answer.
    pub price: Balance,
}

/// What produced a weights version by training.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct TrainingOrigin {
    /// The version that it started from.
    pub parent: VersionIndex,
    /// Plan and round.
    pub plan: crate::PlanId,
    /// Round of the plan.
    pub round: crate::RoundIndex,
    /// The datasets it saw.
    pub datasets: Vec<DatasetId>,
    /// Held-out loss before, in micro-nats per token.
    pub loss_before: u64,
    /// Held-out loss after.
    pub loss_after: u64,
}

/// Models as others see them. Implemented by pallet `models`.
pub trait ModelRegistry<AccountId> {
    /// The live version; an error names why there is none.
    fn live(model: ModelId) -> Result<ModelVersion<AccountId>, DispatchError>;
    /// Any version.
    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<AccountId>, DispatchError>;
    /// Adds trained weights as a candidate; promotes it if the model's rule says so. Returns its index.
    fn add_trained(model: ModelId, weights: BlobId, origin: TrainingOrigin) -> Result<VersionIndex, DispatchError>;
    /// The datasets in the whole lineage of a version, each once.
    fn lineage_datasets(model: ModelId, version: VersionIndex) -> Vec<DatasetId>;
    /// New shares for work done.
    fn issue_shares(model: ModelId, to: &AccountId, amount: Balance) -> Result<(), DispatchError>;
    /// The account that collects a model's income, from which holders draw their part.
    fn pot(model: ModelId) -> AccountId;
    /// Says that `amount` has been paid into the pot: it accrues to the holders.
    fn note_income(model: ModelId, amount: Balance);
}

/// Which pallet a job belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum JobKind {
    /// A generation (pallet `inference`).
    Inference,
    /// The scores of a round (pallet `training`).
    Score,
    /// The new weights of a round (pallet `training`).
    Aggregate,
}

/// Who checks a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum CommitteeRule {
    /// So many others, drawn by bond after the claim is made.
    Drawn {
        /// How many.
        size: u32,
    },
    /// Every other member.
    Everyone,
}

/// How a claim ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Verdict<AccountId> {
    /// More than 2/3 of the committee's weight recomputed the same.
    Settled {
        /// Those whose receipts opened, without the executor.
        checkers: Vec<AccountId>,
    },
    /// More than 2/3 recomputed another trace: the executor has been slashed.
    Refused,
    /// Too few answered in time: nobody is slashed.
    Unresolved,
}

/// Consensus on claims. Implemented by pallet `verification`.
pub trait ClaimVerifier<AccountId> {
    /// Opens `executor`'s claim on `job`; its end is told to [`OnVerdict`]. One claim per job at a time.
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> Result<(), DispatchError>;
}

/// The pallet whose job was claimed. Routed by [`JobKind`] in the runtime.
pub trait JobHandler<AccountId> {
    /// What a checker must compute to check the open claim on `job`; `None` once it is over.
    fn check_spec(kind: JobKind, job: JobId) -> Option<JobSpec>;
    /// The claim on `job` has ended.
    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<AccountId>);
}
