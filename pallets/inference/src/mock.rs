// SPDX-License-Identifier: Apache-2.0
//! A runtime with this pallet and balances. Its members are 1..=n with equal bonds; it has one model, and the test
//! decides the verdicts on claims.

pub use pallet_support::testing::{key_pair, refused, AccountId, BlockRandomness, Failed, Members, TestNode, SESSION};

use crate as pallet_inference;
use crate::{
    claim::ClaimBody,
    fees::FeeShares,
    request::{Certainty, Prompt, RequestRecord, RequestStatus},
    Call, HoldReason, Requests, CLAIM_DOMAIN,
};
use agorai_primitives::{
    job::Sampling,
    message::Message,
    model::Architecture,
    receipt::{output_result, ClaimDigest, Trace},
    traits::{self, CommitteeRule, JobHandler as _, JobKind, ModelVersion, TrainingOrigin, Verdict},
    Balance, BlobId, CommitteeSignature, DatasetId, JobId, ModelId, RequestId, Shard, VersionIndex,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{fungible::InspectHold, ConstU128, ConstU32, ConstU64},
};
use pallet_support::{
    testing::{self, MockMembers, MockRandomness},
    SignedReports,
};
use sp_core::{Pair, H256};
use sp_runtime::{BuildStorage, DispatchError, DispatchResult};

pub type Record = RequestRecord<AccountId, u64>;

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

pallet_support::impl_authorized_transactions!(Test);

/// A chain with `members` members in block 1.
pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: (1..=members)
            .chain([USER, OTHER_USER, POT, TREASURY])
            .map(|who| (who, FUNDS))
            .collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
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
        System::set_block_number(1);
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

pub fn sampling() -> Sampling {
    Sampling {
        max_tokens: 4,
        temperature_milli: 700,
        top_k: 40,
        top_p_milli: 950,
        seed: 1,
        stop: None,
    }
}

pub fn prompt(text: &[u8]) -> Prompt {
    text.to_vec().try_into().unwrap()
}

/// The arguments of `request`, with valid defaults.
pub struct RequestCall {
    pub who: AccountId,
    pub model: ModelId,
    pub prompt: Prompt,
    pub sampling: Sampling,
    pub max_fee: Balance,
}

impl Default for RequestCall {
    fn default() -> Self {
        Self {
            who: USER,
            model: MODEL,
            prompt: prompt(PROMPT),
            sampling: sampling(),
            max_fee: FEE,
        }
    }
}

impl RequestCall {
    pub fn dispatch(self) -> DispatchResult {
        Inference::request(
            RuntimeOrigin::signed(self.who),
            self.model,
            self.prompt,
            self.sampling,
            Certainty::Checked,
            self.max_fee,
        )
    }

    /// Dispatches the call, which must succeed, and returns the request's id.
    pub fn request(self) -> RequestId {
        self.dispatch().unwrap();
        crate::NextRequest::<Test>::get() - 1
    }
}

/// Makes a request with the default arguments and returns its id.
pub fn request() -> RequestId {
    RequestCall::default().request()
}

pub fn record(request: RequestId) -> Record {
    Requests::<Test>::get(request).unwrap()
}

/// The current executor of a request, or the one that answered it.
pub fn executor(request: RequestId) -> AccountId {
    match record(request).status {
        RequestStatus::Waiting { executor, .. }
        | RequestStatus::Claimed { executor, .. }
        | RequestStatus::Settled { executor, .. } => executor,
        RequestStatus::Refunded => panic!("request {request} is refunded"),
    }
}

/// The escrow held on an account, in plancks.
pub fn on_hold(who: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Escrow.into(), &who)
}

/// The trace of a generation with the result `output`.
pub fn trace(output: &[u8], tokens: u32) -> Trace {
    Trace {
        result: output_result(output, tokens),
        root: H256([2; 32]),
        secret: H256([3; 32]),
    }
}

/// The claim of the current executor of `request`, with the answer [`OUTPUT`].
pub fn claim_message(request: RequestId) -> Message<AccountId, ClaimBody> {
    let record = record(request);
    Message {
        member: executor(request),
        session: SESSION,
        job: record.job,
        body: ClaimBody {
            attempt: record.attempt(),
            output: OUTPUT.to_vec().try_into().unwrap(),
            tokens: TOKENS,
            claim: trace(OUTPUT, TOKENS).claim(),
        },
    }
}

/// Signs a claim with the key of `member`.
pub fn sign(member: AccountId, message: &Message<AccountId, ClaimBody>) -> CommitteeSignature {
    key_pair(member).sign(&message.digest(CLAIM_DOMAIN, &Inference::genesis_hash()))
}

/// Authorizes and dispatches a call.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    testing::submit(call.into())
}

/// Signs a claim with the key of its member and submits it.
pub fn submit_message(message: Message<AccountId, ClaimBody>) -> Result<(), Failed> {
    let signature = sign(message.member, &message);
    submit(Call::submit_claim { message, signature })
}

/// The current executor of `request` claims the answer [`OUTPUT`].
pub fn claim(request: RequestId) -> Result<(), Failed> {
    submit_message(claim_message(request))
}

/// Ends the claim on `request` with `verdict`.
pub fn decide(request: RequestId, verdict: Verdict<AccountId>) {
    Inference::on_verdict(JobKind::Inference, record(request).job, verdict);
}

/// Settles the claim on `request` with receipts of all members but the executor.
pub fn confirm(request: RequestId) {
    let executor = executor(request);
    let members = Members::get().into_iter().map(|member| member.account);
    let checkers = members.filter(|member| *member != executor).collect();
    decide(request, Verdict::Settled { checkers });
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    testing::emitted::<Test>(event)
}
