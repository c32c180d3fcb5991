// SPDX-License-Identifier: Apache-2.0
//! A chain of members 1..=n with equal bonds, one model, and claims that are decided by the test.

use crate as pallet_inference;
use crate::{
    fees::FeeShares,
    types::{Certainty, ClaimBody, ClaimRefusal, Prompt, RequestRecord, RequestStatus},
    Call, HoldReason, Requests, CLAIM_DOMAIN,
};
use agorai_primitives::{
    crypto::CommitteePair,
    job::Sampling,
    message::Message,
    model::Architecture,
    receipt::{output_result, ClaimDigest, Trace},
    traits::{self, CommitteeRule, JobHandler as _, JobKind, Member, ModelVersion, TrainingOrigin, Verdict},
    Balance, BlobId, CommitteeSignature, DatasetId, JobId, ModelId, RequestId, SessionIndex, Shard, VersionIndex,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{fungible::InspectHold, Authorize, ConstU128, ConstU32, ConstU64, Randomness},
};
use frame_system::RawOrigin;
use sp_core::{Pair, H256};
use sp_runtime::{
    traits::{BlakeTwo256, Dispatchable},
    transaction_validity::{TransactionSource, TransactionValidityError},
    BuildStorage, DispatchError, DispatchResult,
};

pub type AccountId = u64;
pub type Extension = frame_system::AuthorizeCall<Test>;
pub type Extrinsic = sp_runtime::testing::TestXt<RuntimeCall, Extension>;
pub type Block = sp_runtime::generic::Block<sp_runtime::generic::Header<u64, BlakeTwo256>, Extrinsic>;
pub type Record = RequestRecord<AccountId, u64>;

pub const SESSION: SessionIndex = 4;
pub const BOND: Balance = 100;
pub const MODEL: ModelId = 3;
pub const PRICE: Balance = 1_000;
pub const EXISTENTIAL: Balance = 10;
pub const FUNDS: Balance = 1_000_000;
pub const ANSWER: u64 = 6;
pub const RETAIN: u64 = 20;
pub const OPEN: u32 = 5;
pub const PROMPT: &[u8] = b"agora";
pub const OUTPUT: &[u8] = b"mnem";
/// Tokens of [`PROMPT`] and [`OUTPUT`].
pub const TOKENS: u32 = 9;
/// What they cost.
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
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<EXISTENTIAL>;
    type MaxFreezes = ConstU32<1>;
}

/// A claim that was opened.
pub type Opened = (JobKind, JobId, AccountId, ClaimDigest, CommitteeRule);

parameter_types! {
    pub static Set: Vec<Member<AccountId>> = Vec::new();
    pub static BlockValue: Option<H256> = None;
    pub static Retired: bool = false;
    pub static CurrentPrice: Balance = PRICE;
    pub static Shape: Architecture = Architecture::SMALL;
    pub static Lineage: Vec<DatasetId> = Vec::new();
    pub static Contributors: Vec<(DatasetId, Vec<(AccountId, u32)>)> = Vec::new();
    pub static Income: Vec<(ModelId, Balance)> = Vec::new();
    pub static Claims: Vec<Opened> = Vec::new();
    pub static NoRoomForClaims: bool = false;
    pub const Shares: FeeShares = FeeShares::USUAL;
}

pub struct World;
impl traits::SessionMembers<AccountId> for World {
    fn session() -> SessionIndex {
        SESSION
    }
    fn members() -> Vec<Member<AccountId>> {
        Set::get()
    }
    fn member(account: &AccountId) -> Option<Member<AccountId>> {
        Set::get().into_iter().find(|member| member.account == *account)
    }
}
impl traits::ModelRegistry<AccountId> for World {
    fn live(model: ModelId) -> Result<ModelVersion<AccountId>, DispatchError> {
        if Retired::get() {
            return Err(DispatchError::Other("ModelRetired"));
        }
        Self::version(model, 7)
    }
    fn version(model: ModelId, version: VersionIndex) -> Result<ModelVersion<AccountId>, DispatchError> {
        if model != MODEL {
            return Err(DispatchError::Other("UnknownModel"));
        }
        Ok(ModelVersion {
            owner: POT,
            architecture: Shape::get(),
            version,
            weights: BlobId([version as u8; 32]),
            price: CurrentPrice::get(),
        })
    }
    fn add_trained(_: ModelId, _: BlobId, _: TrainingOrigin) -> Result<VersionIndex, DispatchError> {
        Err(DispatchError::Other("NotHere"))
    }
    fn lineage_datasets(model: ModelId, version: VersionIndex) -> Vec<DatasetId> {
        assert_eq!((model, version), (MODEL, 7));
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
impl traits::DatasetRegistry<AccountId> for World {
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
impl traits::ClaimVerifier<AccountId> for World {
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> DispatchResult {
        if NoRoomForClaims::get() {
            return Err(DispatchError::Other("TooManyClaims"));
        }
        Claims::mutate(|claims| claims.push((kind, job, *executor, claim, rule)));
        Ok(())
    }
}
impl Randomness<Option<H256>, u64> for World {
    fn random(_: &[u8]) -> (Option<H256>, u64) {
        (BlockValue::get(), System::block_number().saturating_sub(1))
    }
}

impl pallet_inference::Config for Test {
    type Currency = Balances;
    type Members = World;
    type Models = World;
    type Datasets = World;
    type Verification = World;
    type Randomness = World;
    type Treasury = ConstU64<TREASURY>;
    type MaxOpenRequests = ConstU32<OPEN>;
    type MaxDuePerBlock = ConstU32<2>;
    type MaxPrunedPerBlock = ConstU32<2>;
    type MaxAttempts = ConstU32<3>;
    type CommitteeSize = ConstU32<3>;
    type AnswerPeriod = ConstU64<ANSWER>;
    type RetainPeriod = ConstU64<RETAIN>;
    type MaxPaidDatasets = ConstU32<2>;
    type FeeShares = Shares;
    type WeightInfo = ();
}

impl<LocalCall> frame_system::offchain::CreateTransactionBase<LocalCall> for Test
where
    RuntimeCall: From<LocalCall>,
{
    type RuntimeCall = RuntimeCall;
    type Extrinsic = Extrinsic;
}

impl<LocalCall> frame_system::offchain::CreateTransaction<LocalCall> for Test
where
    RuntimeCall: From<LocalCall>,
{
    type Extension = Extension;
    fn create_transaction(call: RuntimeCall, extension: Extension) -> Extrinsic {
        Extrinsic::new_transaction(call, extension)
    }
}

impl<LocalCall> frame_system::offchain::CreateAuthorizedTransaction<LocalCall> for Test
where
    RuntimeCall: From<LocalCall>,
{
    fn create_extension() -> Extension {
        Extension::new()
    }
}

/// The key of a member.
pub fn pair(account: AccountId) -> CommitteePair {
    CommitteePair::from_string(&seed(account), None).unwrap()
}

/// What a keystore makes that key from.
pub fn seed(account: AccountId) -> String {
    format!("//Member{account}")
}

/// Members 1..=`members`, each with the same bond.
pub fn set(members: AccountId) {
    let member = |account| Member {
        account,
        key: pair(account).public(),
        bond: BOND,
    };
    Set::set((1..=members).map(member).collect());
}

/// Accounts with funds.
pub fn rich(members: AccountId) -> Vec<AccountId> {
    (1..=members).chain([USER, OTHER_USER, POT, TREASURY]).collect()
}

pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: rich(members).into_iter().map(|who| (who, FUNDS)).collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| {
        set(members);
        BlockValue::take();
        Retired::take();
        CurrentPrice::set(PRICE);
        Shape::set(Architecture::SMALL);
        Lineage::take();
        Contributors::take();
        Income::take();
        Claims::take();
        NoRoomForClaims::take();
        System::set_block_number(1);
    });
    ext
}

/// Runs the test, then checks what must always hold, and that no token came or went.
pub fn test(members: AccountId, story: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        let issuance = Balances::total_issuance();
        story();
        Inference::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

pub fn run_to(block: u64) {
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

/// The arguments of `request`; a test changes what it is about.
pub struct Draft {
    pub who: AccountId,
    pub model: ModelId,
    pub prompt: Prompt,
    pub sampling: Sampling,
    pub max_fee: Balance,
}

impl Default for Draft {
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

impl Draft {
    pub fn send(self) -> DispatchResult {
        Inference::request(
            RuntimeOrigin::signed(self.who),
            self.model,
            self.prompt,
            self.sampling,
            Certainty::Checked,
            self.max_fee,
        )
    }

    /// Sends it; the request's index.
    pub fn ask(self) -> RequestId {
        self.send().unwrap();
        crate::NextRequest::<Test>::get() - 1
    }
}

pub fn record(request: RequestId) -> Record {
    Requests::<Test>::get(request).unwrap()
}

/// Who has to answer, or has answered.
pub fn executor(request: RequestId) -> AccountId {
    match record(request).status {
        RequestStatus::Waiting { executor, .. }
        | RequestStatus::Claimed { executor, .. }
        | RequestStatus::Settled { executor, .. } => executor,
        RequestStatus::Refunded => panic!("request {request} is refunded"),
    }
}

pub fn on_hold(who: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Escrow.into(), &who)
}

/// The trace of a generation that has yielded `output`.
pub fn trace(output: &[u8], tokens: u32) -> Trace {
    Trace {
        result: output_result(output, tokens),
        root: H256([2; 32]),
        secret: H256([3; 32]),
    }
}

/// What the executor of `request` would send now.
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

pub fn signed(by: AccountId, message: &Message<AccountId, ClaimBody>) -> CommitteeSignature {
    pair(by).sign(&message.digest(CLAIM_DOMAIN, &Inference::genesis()))
}

/// How a claim can fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    Refused(TransactionValidityError),
    Dispatch(DispatchError),
}

pub fn refused(refusal: ClaimRefusal) -> Result<(), Failed> {
    Err(Failed::Refused(refusal.into()))
}

/// As the transaction extension `AuthorizeCall` does: authorize, then dispatch.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    let call = call.into();
    call.authorize(TransactionSource::External)
        .expect("claims are authorized calls")
        .map_err(Failed::Refused)?;
    call.dispatch(RawOrigin::Authorized.into())
        .map(|_| ())
        .map_err(|error| Failed::Dispatch(error.error))
}

/// Signs with its member's key, and submits.
pub fn submit_message(message: Message<AccountId, ClaimBody>) -> Result<(), Failed> {
    let signature = signed(message.member, &message);
    submit(Call::submit_claim { message, signature })
}

/// The executor of `request` answers [`OUTPUT`].
pub fn claim(request: RequestId) -> Result<(), Failed> {
    submit_message(claim_message(request))
}

/// Verification decides the claim on `request`.
pub fn decide(request: RequestId, verdict: Verdict<AccountId>) {
    Inference::on_verdict(JobKind::Inference, record(request).job, verdict);
}

/// All members but the executor have confirmed it.
pub fn confirm(request: RequestId) {
    let executor = executor(request);
    let members = Set::get().into_iter().map(|member| member.account);
    let checkers = members.filter(|member| *member != executor).collect();
    decide(request, Verdict::Settled { checkers });
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    let event = RuntimeEvent::from(event);
    System::events().iter().any(|record| record.event == event)
}
