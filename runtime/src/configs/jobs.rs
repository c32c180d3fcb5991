// SPDX-License-Identifier: Apache-2.0
//! Verification, inference and training.

use crate::{
    constants::{TreasuryAccount, HOURS, UNIT},
    AccountId, Balances, BlockNumber, Datasets, Inference, Models, Runtime, Training, Validators, Verification,
};
use agorai_primitives::{
    job::JobSpec,
    traits::{JobHandler, JobKind, Verdict},
    JobId,
};
use frame_support::{
    parameter_types,
    traits::{ConstU128, ConstU32},
};
use pallet_inference::fees::FeeShares;
use sp_runtime::Perbill;

/// Randomness for draws: that of the parent block, which is unknown before that block is produced.
type Draws = pallet_babe::ParentBlockRandomness<Runtime>;

/// Routes each job to its pallet.
pub struct JobRouter;

impl JobHandler<AccountId> for JobRouter {
    fn check_spec(kind: JobKind, job: JobId) -> Option<JobSpec> {
        match kind {
            JobKind::Inference => Inference::check_spec(kind, job),
            JobKind::Score | JobKind::Aggregate => Training::check_spec(kind, job),
        }
    }

    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<AccountId>) {
        match kind {
            JobKind::Inference => Inference::on_verdict(kind, job, verdict),
            JobKind::Score | JobKind::Aggregate => Training::on_verdict(kind, job, verdict),
        }
    }
}

parameter_types! {
    /// Number of blocks in which a committee must check a claim.
    pub const CheckPeriod: BlockNumber = 20;
    /// Number of blocks in which the whole set must check a widened claim.
    pub const WidenedPeriod: BlockNumber = 20;
    /// Number of blocks before a deadline in which a failed check is reported.
    pub const FailureReportPeriod: BlockNumber = 4;
    pub const WrongClaimSlash: Perbill = Perbill::from_percent(10);
    pub const WrongDisputeSlash: Perbill = Perbill::from_percent(5);

    /// Number of blocks in which an executor must answer a request.
    pub const AnswerPeriod: BlockNumber = 20;
    /// Number of blocks for which a finished request is stored.
    pub const RetainPeriod: BlockNumber = 24 * HOURS;
    pub const StandardFeeShares: FeeShares = FeeShares::STANDARD;

    pub const WrongContributionSlash: Perbill = Perbill::from_percent(10);
    pub const WrongAuditSlash: Perbill = Perbill::from_percent(5);
}

impl pallet_verification::Config for Runtime {
    type Members = Validators;
    type Slash = Validators;
    type Jobs = JobRouter;
    type Randomness = Draws;
    // `MaxOpenRequests` + `MaxPlans`: one claim for every open request and every running plan.
    type MaxOpenClaims = ConstU32<264>;
    type MaxDuePerBlock = ConstU32<16>;
    type DrawBlocks = ConstU32<2>;
    type CheckPeriod = CheckPeriod;
    type WidenedPeriod = WidenedPeriod;
    type FailureReportPeriod = FailureReportPeriod;
    type WrongClaimSlash = WrongClaimSlash;
    type WrongDisputeSlash = WrongDisputeSlash;
    type WeightInfo = pallet_verification::weights::EstimatedWeight<Runtime>;
}

impl pallet_inference::Config for Runtime {
    type Currency = Balances;
    type Members = Validators;
    type Models = Models;
    type Datasets = Datasets;
    type Verification = Verification;
    type Randomness = Draws;
    type Treasury = TreasuryAccount;
    type MaxOpenRequests = ConstU32<256>;
    type MaxDuePerBlock = ConstU32<16>;
    type MaxPrunedPerBlock = ConstU32<16>;
    type MaxAttempts = ConstU32<4>;
    type CommitteeSize = ConstU32<3>;
    type AnswerPeriod = AnswerPeriod;
    type RetainPeriod = RetainPeriod;
    // A dataset has at most 32 contributors. This bounds the weight of a verdict.
    type MaxPaidDatasets = ConstU32<2>;
    type FeeShares = StandardFeeShares;
    type WeightInfo = pallet_inference::weights::EstimatedWeight<Runtime>;
}

impl pallet_training::Config for Runtime {
    type Currency = Balances;
    type Members = Validators;
    type Slash = Validators;
    type Datasets = Datasets;
    type Access = Datasets;
    type Models = Models;
    type Verification = Verification;
    type Randomness = Draws;
    type MaxPlans = ConstU32<8>;
    type RetainedPlans = ConstU32<64>;
    type MaxRounds = ConstU32<1_000>;
    type RetainedRounds = ConstU32<64>;
    type MaxVoidRounds = ConstU32<3>;
    type MinReward = ConstU128<UNIT>;
    type Auditors = ConstU32<2>;
    type MaxAttempts = ConstU32<3>;
    type EnrolBlocks = ConstU32<6>;
    type TrainBlocks = ConstU32<60>;
    type AuditBlocks = ConstU32<30>;
    type ClaimBlocks = ConstU32<20>;
    // The draw and both periods of `Verification`, and some blocks for postponed claims.
    type VerdictBlocks = ConstU32<60>;
    type WrongContributionSlash = WrongContributionSlash;
    type WrongAuditSlash = WrongAuditSlash;
    type WeightInfo = pallet_training::weights::EstimatedWeight<Runtime>;
}
