// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet and balances. Its members are 1..=n with equal bonds, and it has one model. [`requests`]
//! contains the calls and verdicts of a request.

mod requests;

pub use pallet_testing::{refused, AccountId, BlockRandomness, Failed, Members, TestNode, SESSION};
pub use requests::*;

use crate::{self as pallet_inference, fees::FeeShares};
use agorai_primitives::{
    model::Architecture,
    receipt::ClaimDigest,
    traits::{self, CommitteeRule, JobKind, ModelVersion, TrainingOrigin},
    Balance, BlobId, DatasetId, JobId, ModelId, Shard, VersionIndex,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU128, ConstU32, ConstU64},
};
use pallet_testing::{self as testing, MockMembers, MockRandomness};
use sp_runtime::{DispatchError, DispatchResult};

pub const MODEL: ModelId = 3;
/// The version of [`MODEL`] that is live.
pub const VERSION: VersionIndex = 7;
pub const PRICE: Balance = 1_000;
pub const EXISTENTIAL_DEPOSIT: Balance = 10;
pub const FUNDS: Balance = 1_000_000;
pub const ANSWER_PERIOD: u64 = 6;
pub const RETAIN_PERIOD: u64 = 20;
pub const MAX_OPEN_REQUESTS: u32 = 5;
pub const PROMPT: &[u8] = b"agora";
pub const OUTPUT: &[u8] = b"mnem";
/// Number of tokens of [`PROMPT`] and [`OUTPUT`].
pub const TOKENS: u32 = 9;
/// The fee for [`TOKENS`].
pub const FEE: Balance = 9_000;

pub const USER: AccountId = 50;
pub const OTHER_USER: AccountId = 51;
pub const POT: AccountId = 90;
pub const TREASURY: AccountId = 99;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Inference: pallet_inference,
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
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type MaxFreezes = ConstU32<1>;
}

/// An open claim: the arguments of `ClaimVerifier::open`.
pub type OpenClaim = (JobKind, JobId, AccountId, ClaimDigest, CommitteeRule);

parameter_types! {
    pub static Retired: bool = false;
    pub static CurrentPrice: Balance = PRICE;
    pub static ModelArchitecture: Architecture = Architecture::SMALL;
    pub static Lineage: Vec<DatasetId> = Vec::new();
    pub static Contributors: Vec<(DatasetId, Vec<(AccountId, u32)>)> = Vec::new();
    /// The income credited to the model's holders.
    pub static Income: Vec<(ModelId, Balance)> = Vec::new();
    pub static OpenClaims: Vec<OpenClaim> = Vec::new();
    /// Whether `ClaimVerifier::open` fails.
    pub static VerifierIsFull: bool = false;
    pub const Shares: FeeShares = FeeShares::STANDARD;
}

/// The other pallets, which read and record their calls in the values above.
pub struct MockPallets;

impl traits::ModelRegistry<AccountId> for MockPallets {
    fn live(model: ModelId) -> Result<ModelVersion<AccountId>, DispatchError> {
        if Retired::get() {
            return Err(DispatchError::Other("ModelRetired"));
        }
        Self::version(model, VERSION)
    }
    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<AccountId>, DispatchError> {
        if model != MODEL {
            return Err(DispatchError::Other("UnknownModel"));
        }
        Ok(ModelVersion {
            owner: POT,
            architecture: ModelArchitecture::get(),
            version,
            weights: BlobId([version as u8; 32]),
            price: CurrentPrice::get(),
        })
    }
    fn add_trained(_: ModelId, _: BlobId, _: TrainingOrigin) -> Result<VersionIndex, DispatchError> {
        Err(DispatchError::Unavailable)
    }
    fn lineage_datasets(model: ModelId, version: VersionIndex) -> Vec<DatasetId> {
        assert_eq!((model, version), (MODEL, VERSION));
        Lineage::get()
    }
    fn issue_shares(_: ModelId, _: &AccountId, _: Balance) -> DispatchResult {
        Ok(())
    }
    fn pot(_: ModelId) -> AccountId {
        POT
    }
    fn note_income(model: ModelId, amount: Balance) {
        Income::mutate(|income| income.push((model, amount)));
    }
}

impl traits::DatasetRegistry<AccountId> for MockPallets {
    fn usable_shards(_: DatasetId) -> Result<Vec<Shard>, DispatchError> {
        Ok(Vec::new())
    }
    fn contributors(dataset: DatasetId) -> Vec<(AccountId, u32)> {
        let all = Contributors::get().into_iter();
        all.filter(|(other, _)| *other == dataset)
            .flat_map(|(_, contributors)| contributors)
            .collect()
    }
}

impl traits::ClaimVerifier<AccountId> for MockPallets {
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> DispatchResult {
        if VerifierIsFull::get() {
            return Err(DispatchError::Other("TooManyClaims"));
        }
        OpenClaims::mutate(|claims| claims.push((kind, job, *executor, claim, rule)));
        Ok(())
    }
}

impl pallet_inference::Config for Test {
    type Currency = Balances;
    type Members = MockMembers;
    type Models = MockPallets;
    type Datasets = MockPallets;
    type Verification = MockPallets;
    type Randomness = MockRandomness;
    type Treasury = ConstU64<TREASURY>;
    type MaxOpenRequests = ConstU32<MAX_OPEN_REQUESTS>;
    type MaxDuePerBlock = ConstU32<2>;
    type MaxPrunedPerBlock = ConstU32<2>;
    type MaxAttempts = ConstU32<3>;
    type CommitteeSize = ConstU32<3>;
    type AnswerPeriod = ConstU64<ANSWER_PERIOD>;
    type RetainPeriod = ConstU64<RETAIN_PERIOD>;
    type MaxPaidDatasets = ConstU32<2>;
    type FeeShares = Shares;
    type WeightInfo = ();
}

pallet_testing::impl_authorized_transactions!(Test);

/// A chain with `members` members in block 1.
pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let accounts = (1..=members).chain([USER, OTHER_USER, POT, TREASURY]);
    let mut ext = testing::funded_chain::<Test>(accounts.map(|who| (who, FUNDS)).collect());
    ext.execute_with(|| {
        testing::set_members(members);
        Retired::take();
        CurrentPrice::set(PRICE);
        ModelArchitecture::set(Architecture::SMALL);
        Lineage::take();
        Contributors::take();
        Income::take();
        OpenClaims::take();
        VerifierIsFull::take();
    });
    ext
}

/// Runs `test` on a chain with `members` members, then checks the storage invariants and that the total issuance has
/// not changed.
pub fn run_test(members: AccountId, test: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        let issuance = Balances::total_issuance();
        test();
        Inference::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

pub fn run_to_block(block: u64) {
    System::run_to_block::<AllPalletsWithSystem>(block);
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    testing::emitted::<Test>(event)
}
