// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet and balances. Its members are 1..=n with equal bonds; models, datasets, slashes and claims
//! are recorded in static values. [`rounds`] contains the reports of members and whole phases of a round.

mod rounds;

pub use pallet_testing::{refused, AccountId, Failed, Members, TestNode};
pub use rounds::*;

use crate::{self as pallet_training, plan::PlanDatasets, round::Phase, Plans};
use agorai_primitives::{
    model::Architecture,
    receipt::ClaimDigest,
    training::Recipe,
    traits::{self, CommitteeRule, Fault, JobKind, ModelVersion, TrainingOrigin},
    Balance, BlobId, DatasetId, JobId, ModelId, Shard, VersionIndex,
};
use codec::Encode;
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU128, ConstU32, Contains, Randomness},
};
use pallet_testing::{self as testing, MockMembers, BOND};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::{DispatchError, DispatchResult, Perbill};

/// The owner of the model. It is not a member.
pub const OWNER: AccountId = 77;
pub const FUNDS: Balance = 1_000_000;
/// The balance of a member.
pub const MEMBER_FUNDS: Balance = 10;
pub const REWARD: Balance = 1_000;
pub const SHARES: Balance = 50;
pub const MODEL: ModelId = 3;
pub const DATASET: DatasetId = 5;
pub const WITHDRAWN: DatasetId = 6;
/// A dataset on which only another account may train.
pub const FOREIGN: DatasetId = 7;
/// The first plan.
pub const PLAN: u32 = 0;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Training: pallet_training,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = testing::Block<RuntimeCall, Test>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
}

parameter_types! {
    pub static Slashes: Vec<(AccountId, Fault)> = Vec::new();
    pub static Retired: bool = false;
    /// The weights of the model's versions.
    pub static Versions: Vec<BlobId> = Vec::new();
    /// The origins of the trained versions.
    pub static Origins: Vec<TrainingOrigin> = Vec::new();
    pub static IssuedShares: Vec<(AccountId, Balance)> = Vec::new();
    pub static OpenClaims: Vec<(JobKind, JobId, AccountId, ClaimDigest)> = Vec::new();
    pub const WrongContribution: Perbill = Perbill::from_percent(20);
    pub const WrongAudit: Perbill = Perbill::from_percent(10);
}

/// The other pallets, which read and record their calls in the values above.
pub struct MockPallets;

impl traits::Slash<AccountId> for MockPallets {
    fn slash(who: &AccountId, part: Perbill, fault: Fault) -> Balance {
        Slashes::mutate(|slashes| slashes.push((*who, fault)));
        // A slashed member is chilled.
        Members::mutate(|members| members.retain(|member| member.account != *who));
        part * BOND
    }
}

impl traits::DatasetRegistry<AccountId> for MockPallets {
    fn usable_shards(dataset: DatasetId) -> Result<Vec<Shard>, DispatchError> {
        let shard = |seed, bytes| Shard {
            blob: BlobId([seed; 32]),
            bytes,
        };
        match dataset {
            DATASET => Ok(vec![shard(1, 20_000), shard(2, 20_010)]),
            FOREIGN => Ok(vec![shard(3, 60_000)]),
            WITHDRAWN => Err(DispatchError::Other("withdrawn")),
            _ => Err(DispatchError::Other("unknown dataset")),
        }
    }
    fn contributors(_: DatasetId) -> Vec<(AccountId, u32)> {
        Vec::new()
    }
}

impl Contains<(DatasetId, AccountId)> for MockPallets {
    fn contains((dataset, _): &(DatasetId, AccountId)) -> bool {
        *dataset != FOREIGN
    }
}

impl traits::ModelRegistry<AccountId> for MockPallets {
    fn live(model: ModelId) -> Result<ModelVersion<AccountId>, DispatchError> {
        if Retired::get() {
            return Err(DispatchError::Other("retired"));
        }
        Self::version(model, 0)
    }
    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<AccountId>, DispatchError> {
        if model != MODEL {
            return Err(DispatchError::Other("unknown model"));
        }
        let weights = Versions::get().get(version as usize).copied();
        Ok(ModelVersion {
            owner: OWNER,
            architecture: Architecture::SMALL,
            version,
            weights: weights.ok_or(DispatchError::Other("unknown version"))?,
            price: 1,
        })
    }
    fn add_trained(_: ModelId, weights: BlobId, origin: TrainingOrigin) -> Result<VersionIndex, DispatchError> {
        if Retired::get() {
            return Err(DispatchError::Other("retired"));
        }
        Origins::mutate(|origins| origins.push(origin));
        Versions::mutate(|versions| versions.push(weights));
        Ok(Versions::get().len() as u32 - 1)
    }
    fn lineage_datasets(_: ModelId, _: VersionIndex) -> Vec<DatasetId> {
        Vec::new()
    }
    fn issue_shares(_: ModelId, to: &AccountId, amount: Balance) -> DispatchResult {
        IssuedShares::mutate(|issued| issued.push((*to, amount)));
        Ok(())
    }
    fn pot(_: ModelId) -> AccountId {
        0
    }
    fn note_income(_: ModelId, _: Balance) {}
}

impl traits::ClaimVerifier<AccountId> for MockPallets {
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> Result<(), DispatchError> {
        assert_eq!(rule, CommitteeRule::Everyone);
        OpenClaims::mutate(|claims| claims.push((kind, job, *executor, claim)));
        Ok(())
    }
}

impl Randomness<Option<H256>, u64> for MockPallets {
    fn random(subject: &[u8]) -> (Option<H256>, u64) {
        let block = System::block_number();
        (
            Some((subject, block).using_encoded(blake2_256).into()),
            block.saturating_sub(1),
        )
    }
}

impl pallet_training::Config for Test {
    type Currency = Balances;
    type Members = MockMembers;
    type Slash = MockPallets;
    type Datasets = MockPallets;
    type Access = MockPallets;
    type Models = MockPallets;
    type Verification = MockPallets;
    type Randomness = MockPallets;
    type MaxPlans = ConstU32<2>;
    type RetainedPlans = ConstU32<2>;
    type MaxRounds = ConstU32<10>;
    type RetainedRounds = ConstU32<2>;
    type MaxVoidRounds = ConstU32<3>;
    type MinReward = ConstU128<10>;
    type Auditors = ConstU32<2>;
    type MaxAttempts = ConstU32<3>;
    type EnrolBlocks = ConstU32<3>;
    type TrainBlocks = ConstU32<10>;
    type AuditBlocks = ConstU32<8>;
    type ClaimBlocks = ConstU32<6>;
    type VerdictBlocks = ConstU32<20>;
    type WrongContributionSlash = WrongContribution;
    type WrongAuditSlash = WrongAudit;
    type WeightInfo = ();
}

pallet_testing::impl_authorized_transactions!(Test);

/// A chain with `members` members in block 1.
pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let balances = (1..=members).map(|who| (who, MEMBER_FUNDS));
    let mut ext = testing::funded_chain::<Test>(balances.chain([(OWNER, FUNDS)]).collect());
    ext.execute_with(|| {
        testing::set_members(members);
        Versions::set(vec![BlobId([200; 32])]);
        Retired::take();
        Slashes::take();
        Origins::take();
        IssuedShares::take();
        OpenClaims::take();
    });
    ext
}

/// Runs `test` on a chain with `members` members, then checks the storage invariants and that the total issuance has
/// not changed.
pub fn run_test(members: AccountId, test: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        let issuance = Balances::total_issuance();
        test();
        Training::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

pub fn next_block() {
    System::run_to_block::<AllPalletsWithSystem>(System::block_number() + 1);
    Training::do_try_state().unwrap();
}

/// Advances to the first block in which the current round is in this phase.
pub fn run_to_phase(phase: Phase) {
    for _ in 0..100 {
        if Plans::<Test>::get(PLAN).unwrap().phase == phase {
            return;
        }
        next_block();
    }
    panic!("the round does not reach phase {phase:?}");
}

/// A recipe for which [`DATASET`] has enough sequences for nine workers.
pub const RECIPE: Recipe = Recipe {
    inner_steps: 16,
    segment_steps: 4,
    ..Recipe::SMALL
};

/// The arguments of `create_plan`, with valid defaults.
pub struct CreatePlanCall {
    pub model: ModelId,
    pub base: Option<VersionIndex>,
    pub datasets: Vec<DatasetId>,
    pub rounds: u32,
    pub recipe: Recipe,
    pub reward: Balance,
    pub shares: Balance,
    pub minimum: u32,
}

impl Default for CreatePlanCall {
    fn default() -> Self {
        Self {
            model: MODEL,
            base: None,
            datasets: vec![DATASET],
            rounds: 2,
            recipe: RECIPE,
            reward: REWARD,
            shares: SHARES,
            minimum: 2,
        }
    }
}

impl CreatePlanCall {
    pub fn dispatch(self, who: AccountId) -> DispatchResult {
        Training::create_plan(
            RuntimeOrigin::signed(who),
            self.model,
            self.base,
            PlanDatasets::truncate_from(self.datasets),
            self.rounds,
            self.recipe,
            self.reward,
            self.shares,
            self.minimum,
        )
    }
}

/// Creates [`PLAN`] with the default arguments.
pub fn create_plan() {
    CreatePlanCall::default().dispatch(OWNER).unwrap();
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    testing::emitted::<Test>(event)
}
