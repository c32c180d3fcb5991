// SPDX-License-Identifier: Apache-2.0
//! The interfaces between the pallets. A pallet depends on these traits only; the runtime selects the
//! implementations.

use crate::{
    job::JobSpec, model::Architecture, receipt::ClaimDigest, Balance, BlobId, CommitteeId, DatasetId, JobId, ModelId,
    SessionIndex, Shard, VersionIndex,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{DispatchError, Perbill};

/// A member of the current session that is eligible for jobs: it is not chilled and has the minimum bond.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Member<AccountId> {
    /// Account of the member.
    pub account: AccountId,
    /// Its key for reports in this session.
    pub key: CommitteeId,
    /// Its bond, in the smallest unit: its weight.
    pub bond: Balance,
}

/// The members of the session that are eligible for jobs. Implemented by pallet `validators`.
pub trait SessionMembers<AccountId> {
    /// Returns the index of the current session.
    fn session() -> SessionIndex;
    /// Returns all eligible members, in the order of the session.
    fn members() -> Vec<Member<AccountId>>;
    /// Returns an eligible member by its account.
    fn member(account: &AccountId) -> Option<Member<AccountId>>;
}

/// A fault in a job, for which a bond is slashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Fault {
    /// The executor claimed a result other than the one that a quorum computed.
    WrongClaim,
    /// A checker disputed a claim that a quorum confirmed.
    WrongDispute,
    /// A worker committed to a contribution that re-execution does not yield.
    WrongContribution,
    /// An auditor rejected a contribution that re-execution confirmed.
    WrongAudit,
}

/// Slashing of bonds on evidence. Implemented by pallet `validators`.
pub trait Slash<AccountId> {
    /// Slashes `fraction` of the bond and chills the validator. Returns the slashed amount, in the smallest unit.
    fn slash(who: &AccountId, fraction: Perbill, fault: Fault) -> Balance;
}

/// The registered datasets. Implemented by pallet `datasets`.
pub trait DatasetRegistry<AccountId> {
    /// Returns the shards of a dataset.
    ///
    /// Errors: the dataset is unknown, or cannot be used for new training.
    fn usable_shards(dataset: DatasetId) -> Result<Vec<Shard>, DispatchError>;
    /// Returns the contributors of a dataset and their weights, even if the dataset is withdrawn.
    fn contributors(dataset: DatasetId) -> Vec<(AccountId, u32)>;
}

/// A weights version of a model with what is needed to serve or train it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ModelVersion<AccountId> {
    /// Owner of the model.
    pub owner: AccountId,
    /// Architecture of the model.
    pub architecture: Architecture,
    /// Index of the version.
    pub version: VersionIndex,
    /// Identifier of the weights.
    pub weights: BlobId,
    /// Price of a token of prompt or output, in the smallest unit.
    pub price: Balance,
}

/// The origin of a weights version that training produced.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct TrainingOrigin {
    /// The version from which the round started.
    pub parent: VersionIndex,
    /// The plan.
    pub plan: crate::PlanId,
    /// The round of the plan.
    pub round: crate::RoundIndex,
    /// The datasets of the plan.
    pub datasets: Vec<DatasetId>,
    /// Held-out loss of the parent, in micro-nats per token.
    pub loss_before: u64,
    /// Held-out loss of the new version, in micro-nats per token.
    pub loss_after: u64,
}

/// The registered models. Implemented by pallet `models`.
pub trait ModelRegistry<AccountId> {
    /// Returns the live version.
    ///
    /// Errors: the model is unknown or retired.
    fn live(model: ModelId) -> Result<ModelVersion<AccountId>, DispatchError>;
    /// Returns a version.
    ///
    /// Errors: the model or the version is unknown.
    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<AccountId>, DispatchError>;
    /// Adds trained weights as a candidate version, promotes it if the promotion rule of the model applies, and returns
    /// its index.
    ///
    /// Errors: the model does not accept the version.
    fn add_trained(model: ModelId, weights: BlobId, origin: TrainingOrigin) -> Result<VersionIndex, DispatchError>;
    /// Returns the datasets in the lineage of a version, each once.
    fn lineage_datasets(model: ModelId, version: VersionIndex) -> Vec<DatasetId>;
    /// Issues new shares of a model to an account.
    ///
    /// Errors: the model is unknown, or a limit on shares or holders is reached.
    fn issue_shares(model: ModelId, to: &AccountId, amount: Balance) -> Result<(), DispatchError>;
    /// Returns the account that collects the income of a model for its holders.
    fn pot(model: ModelId) -> AccountId;
    /// Accrues `amount`, which has been paid into the pot, to the holders.
    fn note_income(model: ModelId, amount: Balance);
}

/// The kind of a claimed job; determines the pallet that handles it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum JobKind {
    /// A generation (pallet `inference`).
    Inference,
    /// The scores of a round (pallet `training`).
    Score,
    /// The new weights of a round (pallet `training`).
    Aggregate,
}

/// The members that check a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum CommitteeRule {
    /// Other members, drawn by bond after the claim is made.
    Drawn {
        /// Number of members.
        size: u32,
    },
    /// All other members.
    Everyone,
}

/// The outcome of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Verdict<AccountId> {
    /// More than 2/3 of the committee's bond computed the claimed trace.
    Settled {
        /// Members whose receipts verified, without the executor.
        checkers: Vec<AccountId>,
    },
    /// More than 2/3 of the bond computed the same other trace. The executor was slashed.
    Refused,
    /// No quorum before the deadline. No one was slashed.
    Unresolved,
}

/// Consensus on claims. Implemented by pallet `verification`.
pub trait ClaimVerifier<AccountId> {
    /// Opens a claim of `executor` on `job`. [`JobHandler::on_verdict`] receives its outcome.
    ///
    /// Errors: the job has an open claim, too many claims are open, or the claim cannot be checked.
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> Result<(), DispatchError>;
}

/// A pallet whose jobs are claimed. The runtime routes by [`JobKind`].
pub trait JobHandler<AccountId> {
    /// Returns the job that checks the open claim on `job`, or `None` if there is no open claim.
    fn check_spec(kind: JobKind, job: JobId) -> Option<JobSpec>;
    /// Handles the outcome of the claim on `job`.
    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<AccountId>);
}
