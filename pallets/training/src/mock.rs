// SPDX-License-Identifier: Apache-2.0
//! A chain of members with equal bonds, whose models, datasets, slashes and claims are recorded.

use crate::{
    self as pallet_training,
    types::{
        AuditBody, ClaimBody, ContributionBody, ContributionRecord, EnrolBody, NewWeights, Output, Phase, PlanDatasets,
    },
    Call, Current, Plans, AUDIT_DOMAIN, CLAIM_DOMAIN, CONTRIBUTION_DOMAIN, ENROL_DOMAIN,
};
use agorai_primitives::{
    crypto::CommitteePair,
    message::Message,
    model::Architecture,
    receipt::{scores_result, weights_result, ClaimDigest},
    training::{Recipe, Score},
    traits::{self, CommitteeRule, Fault, JobHandler as _, JobKind, Member, ModelVersion, TrainingOrigin, Verdict},
    Balance, BlobId, CommitteeSignature, DatasetId, JobId, ModelId, SessionIndex, Shard, VersionIndex,
};
use codec::Encode;
use frame_support::{
    derive_impl, parameter_types,
    traits::{Authorize, ConstU128, ConstU32, Contains, Randomness},
};
use frame_system::RawOrigin;
use sp_core::{Pair, H256};
use sp_crypto_hashing::blake2_256;
use sp_runtime::{
    traits::{BlakeTwo256, Dispatchable},
    transaction_validity::{TransactionSource, TransactionValidityError},
    BuildStorage, DispatchError, DispatchResult, Perbill,
};

pub type AccountId = u64;
pub type Extension = frame_system::AuthorizeCall<Test>;
pub type Extrinsic = sp_runtime::testing::TestXt<RuntimeCall, Extension>;
pub type Block = sp_runtime::generic::Block<sp_runtime::generic::Header<u64, BlakeTwo256>, Extrinsic>;

pub const SESSION: SessionIndex = 4;
pub const BOND: Balance = 100;
/// Owns the model; is no member.
pub const OWNER: AccountId = 77;
pub const FUNDS: Balance = 1_000_000;
pub const REWARD: Balance = 1_000;
pub const SHARES: Balance = 50;
pub const MODEL: ModelId = 3;
pub const DATASET: DatasetId = 5;
pub const WITHDRAWN: DatasetId = 6;
pub const FOREIGN: DatasetId = 7;
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
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
}

parameter_types! {
    pub static Set: Vec<Member<AccountId>> = Vec::new();
    pub static Slashes: Vec<(AccountId, Fault)> = Vec::new();
    pub static Retired: bool = false;
    pub static Versions: Vec<BlobId> = Vec::new();
    pub static Lineage: Vec<TrainingOrigin> = Vec::new();
    pub static Issued: Vec<(AccountId, Balance)> = Vec::new();
    pub static Opened: Vec<(JobKind, JobId, AccountId, ClaimDigest)> = Vec::new();
    pub const WrongContribution: Perbill = Perbill::from_percent(20);
    pub const WrongAudit: Perbill = Perbill::from_percent(10);
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

impl traits::Slash<AccountId> for World {
    fn slash(who: &AccountId, part: Perbill, fault: Fault) -> Balance {
        Slashes::mutate(|slashes| slashes.push((*who, fault)));
        // Chilled.
        Set::mutate(|set| set.retain(|member| member.account != *who));
        part * BOND
    }
}

impl traits::DatasetRegistry<AccountId> for World {
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

impl Contains<(DatasetId, AccountId)> for World {
    fn contains((dataset, _): &(DatasetId, AccountId)) -> bool {
        *dataset != FOREIGN
    }
}

impl traits::ModelRegistry<AccountId> for World {
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
        Lineage::mutate(|lineage| lineage.push(origin));
        Versions::mutate(|versions| versions.push(weights));
        Ok(Versions::get().len() as u32 - 1)
    }
    fn lineage_datasets(_: ModelId, _: VersionIndex) -> Vec<DatasetId> {
        Vec::new()
    }
    fn issue_shares(_: ModelId, to: &AccountId, amount: Balance) -> DispatchResult {
        Issued::mutate(|issued| issued.push((*to, amount)));
        Ok(())
    }
    fn pot(_: ModelId) -> AccountId {
        0
    }
    fn note_income(_: ModelId, _: Balance) {}
}

impl traits::ClaimVerifier<AccountId> for World {
    fn open(
        kind: JobKind,
        job: JobId,
        executor: &AccountId,
        claim: ClaimDigest,
        rule: CommitteeRule,
    ) -> Result<(), DispatchError> {
        assert_eq!(rule, CommitteeRule::Everyone);
        Opened::mutate(|opened| opened.push((kind, job, *executor, claim)));
        Ok(())
    }
}

impl Randomness<Option<H256>, u64> for World {
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
    type Members = World;
    type Slash = World;
    type Datasets = World;
    type Access = World;
    type Models = World;
    type Verification = World;
    type Randomness = World;
    type MaxPlans = ConstU32<2>;
    type KeptPlans = ConstU32<2>;
    type MaxRounds = ConstU32<10>;
    type KeptRounds = ConstU32<2>;
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

/// What a keystore makes a member's key from.
pub fn seed(account: AccountId) -> String {
    format!("//Member{account}")
}

/// The key of a member.
pub fn pair(account: AccountId) -> CommitteePair {
    CommitteePair::from_string(&seed(account), None).unwrap()
}

pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: (1..=members).map(|who| (who, 10)).chain([(OWNER, FUNDS)]).collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| {
        let member = |account| Member {
            account,
            key: pair(account).public(),
            bond: BOND,
        };
        Set::set((1..=members).map(member).collect());
        Versions::set(vec![BlobId([200; 32])]);
        Retired::take();
        Slashes::take();
        Lineage::take();
        Issued::take();
        Opened::take();
        System::set_block_number(1);
    });
    ext
}

/// Runs a story among `members` members, then checks what must always hold, and that no token came or went.
pub fn test(members: AccountId, story: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        story();
        Training::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), FUNDS + Balance::from(members) * 10);
    });
}

pub fn next_block() {
    System::run_to_block::<AllPalletsWithSystem>(System::block_number() + 1);
    Training::do_try_state().unwrap();
}

/// Lets blocks pass until the plan's round is in this phase.
pub fn wait_for(phase: Phase) {
    for _ in 0..100 {
        if Plans::<Test>::get(PLAN).unwrap().phase == phase {
            return;
        }
        next_block();
    }
    panic!("{phase:?} never comes");
}

/// A recipe for which the data of [`DATASET`] suffices for nine workers.
pub const RECIPE: Recipe = Recipe {
    inner_steps: 16,
    segment_steps: 4,
    ..Recipe::SMALL
};

/// The arguments of `create_plan`; a test changes what it is about.
pub struct Draft {
    pub model: ModelId,
    pub base: Option<VersionIndex>,
    pub datasets: Vec<DatasetId>,
    pub rounds: u32,
    pub recipe: Recipe,
    pub reward: Balance,
    pub shares: Balance,
    pub minimum: u32,
}

impl Default for Draft {
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

impl Draft {
    pub fn create(self, who: AccountId) -> DispatchResult {
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

/// How a report can fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    Refused(TransactionValidityError),
    Dispatch(DispatchError),
}

/// As the transaction extension `AuthorizeCall` does: authorize, then dispatch.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    let call = call.into();
    call.authorize(TransactionSource::External)
        .expect("reports are authorized calls")
        .map_err(Failed::Refused)?;
    call.dispatch(RawOrigin::Authorized.into())
        .map(|_| ())
        .map_err(|error| Failed::Dispatch(error.error))
}

pub fn refused(why: pallet_training::ReportRefusal) -> Result<(), Failed> {
    Err(Failed::Refused(why.into()))
}

pub fn message<Body>(member: AccountId, job: JobId, body: Body) -> Message<AccountId, Body> {
    Message {
        member,
        session: SESSION,
        job,
        body,
    }
}

pub fn sign<Body: Encode>(by: AccountId, domain: &[u8], message: &Message<AccountId, Body>) -> CommitteeSignature {
    pair(by).sign(&message.digest(domain, &Training::genesis()))
}

pub fn job() -> JobId {
    pallet_training::round_job(PLAN, index())
}

pub fn training_job() -> JobId {
    let (plan, round) = (Plans::<Test>::get(PLAN), Current::<Test>::get(PLAN));
    Training::training_job(PLAN, &plan.unwrap(), &round.unwrap())
}

pub fn audit_job(worker: u32) -> JobId {
    let (plan, round) = (Plans::<Test>::get(PLAN), Current::<Test>::get(PLAN));
    Training::audit_job(PLAN, &plan.unwrap(), &round.unwrap(), worker)
}

/// Index of the current round.
pub fn index() -> u32 {
    Plans::<Test>::get(PLAN).unwrap().round
}

pub fn enrol(member: AccountId) -> Result<(), Failed> {
    let message = message(
        member,
        job(),
        EnrolBody {
            plan: PLAN,
            round: index(),
        },
    );
    let signature = sign(member, ENROL_DOMAIN, &message);
    submit(Call::submit_enrol { message, signature })
}

/// What a member commits to; each to something else in each round.
pub fn contribution(member: AccountId) -> ContributionRecord {
    let name = |what: u8| BlobId([what, member as u8, index() as u8].repeat(11)[..32].try_into().unwrap());
    ContributionRecord {
        payload: name(1),
        payload_bytes: 1_000,
        error_feedback: name(2),
        states: (0..4)
            .map(|segment| name(3 + segment))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
        loss_first: 5_000_000,
        loss_last: 4_000_000,
    }
}

pub fn contribute(member: AccountId) -> Result<(), Failed> {
    contribute_this(member, contribution(member))
}

pub fn contribute_this(member: AccountId, contribution: ContributionRecord) -> Result<(), Failed> {
    let body = ContributionBody {
        plan: PLAN,
        round: index(),
        contribution,
    };
    let message = message(member, training_job(), body);
    let signature = sign(member, CONTRIBUTION_DOMAIN, &message);
    submit(Call::submit_contribution { message, signature })
}

pub fn audit(member: AccountId, worker: u32, matches: bool) -> Result<(), Failed> {
    let body = AuditBody {
        plan: PLAN,
        round: index(),
        worker,
        matches,
    };
    let message = message(member, audit_job(worker), body);
    let signature = sign(member, AUDIT_DOMAIN, &message);
    submit(Call::submit_audit { message, signature })
}

/// A claim whose result is the hash of its output.
pub fn digest(output: &Output) -> ClaimDigest {
    let result = match output {
        Output::Scores(scores) => scores_result(scores),
        Output::Weights(new) => weights_result(&new.weights, new.loss_before, new.loss_after),
    };
    ClaimDigest {
        result,
        root: H256([1; 32]),
        secret_commitment: H256([2; 32]),
    }
}

pub fn claim(member: AccountId, output: Output) -> Result<(), Failed> {
    let round = Current::<Test>::get(PLAN).unwrap();
    let claim = digest(&output);
    let attempt = round.executor().map_or(0, |(_, attempt)| attempt);
    let body = ClaimBody {
        plan: PLAN,
        round: index(),
        attempt,
        output,
        claim,
    };
    let message = message(member, round.claim_attempt.job, body);
    let signature = sign(member, CLAIM_DOMAIN, &message);
    submit(Call::submit_claim { message, signature })
}

/// Who has to make the claim now.
pub fn executor() -> AccountId {
    *current().executor().unwrap().0
}

pub fn current() -> crate::RoundOf<Test> {
    Current::<Test>::get(PLAN).unwrap()
}

/// Every member enrols that is no worker yet.
pub fn enrol_all() {
    for member in Set::get() {
        if current().place(&member.account).is_none() {
            enrol(member.account).unwrap();
        }
    }
}

/// All members but these enrol and contribute.
pub fn train_without(silent: &[AccountId]) {
    enrol_all();
    wait_for(Phase::Train);
    for worker in current().workers {
        if !silent.contains(&worker.account) {
            contribute(worker.account).unwrap();
        }
    }
    wait_for(Phase::Audit);
}

/// All who are asked audit all contributions, until the phase is over; only those of these workers are found
/// wrong.
pub fn audit_all(cheats: &[AccountId]) {
    while current().phase == Phase::Audit {
        for (place, worker) in current().workers.iter().enumerate() {
            for member in Set::get() {
                if current().owes_audit(&member.account, place as u32) {
                    let matches = !cheats.contains(&worker.account);
                    audit(member.account, place as u32, matches).unwrap();
                }
            }
        }
        next_block();
    }
}

/// Scores of the accepted contributions: the worker at place i gains (i + 1) * 100.
pub fn scores() -> Output {
    let score = |(worker, _): (u32, BlobId)| Score {
        worker,
        held_out: i64::from(worker + 1) * 100,
        own: 10,
    };
    Output::Scores(
        current()
            .accepted()
            .into_iter()
            .map(score)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
    )
}

/// The new weights of the current round.
pub fn new_weights() -> NewWeights {
    NewWeights {
        weights: BlobId([201 + index() as u8; 32]),
        loss_before: 5_000_000,
        loss_after: 4_500_000,
    }
}

/// The open claim ends.
pub fn settle(settled: bool) {
    let (kind, job, ..) = *Opened::get().last().unwrap();
    assert!(Training::check_spec(kind, job).is_some());
    let verdict = match settled {
        true => Verdict::Settled { checkers: Vec::new() },
        false => Verdict::Refused,
    };
    Training::on_verdict(kind, job, verdict);
    assert!(Training::check_spec(kind, job).is_none());
}

/// The rest of a round after its audits.
pub fn score_and_aggregate() {
    wait_for(Phase::Score);
    claim(executor(), scores()).unwrap();
    settle(true);
    wait_for(Phase::Aggregate);
    claim(executor(), Output::Weights(new_weights())).unwrap();
    settle(true);
    next_block();
}

/// A round in which all are honest.
pub fn honest_round() {
    train_without(&[]);
    audit_all(&[]);
    score_and_aggregate();
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    let event = RuntimeEvent::from(event);
    System::events().iter().any(|record| record.event == event)
}
