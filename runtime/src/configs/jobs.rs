// SPDX-License-Identifier: Apache-2.0
//! Inference, training, and the verification of both.

use crate::{
    configs::TreasuryAccount,
    constants::{HOURS, UNIT},
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

/// Values for draws: of the parent block, so that nobody knows them before it is made.
type Draws = pallet_babe::ParentBlockRandomness<Runtime>;

/// Hands each job to its pallet.
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
    /// Blocks that a committee, and then the whole set, has to check a claim.
    pub const CheckPeriod: BlockNumber = 20;
    pub const WidenedPeriod: BlockNumber = 20;
    /// Blocks before a deadline in which a failed check is reported.
    pub const GiveUpBlocks: BlockNumber = 4;
    pub const WrongClaimSlash: Perbill = Perbill::from_percent(10);
    pub const WrongDisputeSlash: Perbill = Perbill::from_percent(5);

    /// Blocks that an executor has.
    pub const AnswerPeriod: BlockNumber = 20;
    pub const RetainPeriod: BlockNumber = 24 * HOURS;
    pub const UsualFeeShares: FeeShares = FeeShares::USUAL;

    pub const WrongContributionSlash: Perbill = Perbill::from_percent(10);
    pub const WrongAuditSlash: Perbill = Perbill::from_percent(5);
}

impl pallet_verification::Config for Runtime {
    type Members = Validators;
    type Slash = Validators;
    type Jobs = JobRouter;
    type Randomness = Draws;
    // One for every open request and every running plan.
    type MaxOpenClaims = ConstU32<264>;
    type MaxDuePerBlock = ConstU32<16>;
    type DrawBlocks = ConstU32<2>;
    type CheckPeriod = CheckPeriod;
    type WidenedPeriod = WidenedPeriod;
    type GiveUpBlocks = GiveUpBlocks;
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
    // At most 32 contributors each: what a verdict may cost is bounded by it.
    type MaxPaidDatasets = ConstU32<2>;
    type FeeShares = UsualFeeShares;
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
    type KeptPlans = ConstU32<64>;
    type MaxRounds = ConstU32<1_000>;
    type KeptRounds = ConstU32<64>;
    type MaxVoidRounds = ConstU32<3>;
    type MinReward = ConstU128<UNIT>;
    type Auditors = ConstU32<2>;
    type MaxAttempts = ConstU32<3>;
    type EnrolBlocks = ConstU32<6>;
    type TrainBlocks = ConstU32<60>;
    type AuditBlocks = ConstU32<30>;
    type ClaimBlocks = ConstU32<20>;
    // Two draws and both periods of `Verification`, and some blocks for the queue.
    type VerdictBlocks = ConstU32<60>;
    type WrongContributionSlash = WrongContributionSlash;
    type WrongAuditSlash = WrongAuditSlash;
    type WeightInfo = pallet_training::weights::EstimatedWeight<Runtime>;
}
