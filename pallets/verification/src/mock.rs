// SPDX-License-Identifier: Apache-2.0
//! A chain of members 1..=n with equal bonds, whose jobs and slashes are recorded.

use crate as pallet_verification;
use crate::{
    claim::Answer,
    types::{Report, ReportRefusal},
    Call, Claims, OPENING_DOMAIN, RECEIPT_DOMAIN,
};
use agorai_primitives::{
    crypto::CommitteePair,
    job::JobSpec,
    message::Message,
    receipt::{receipt, Trace},
    traits::{self, ClaimVerifier as _, CommitteeRule, Fault, JobKind, Member, Verdict},
    Balance, CommitteeSignature, JobId, SessionIndex,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{Authorize, ConstU32, ConstU64, Randomness},
};
use frame_system::RawOrigin;
use sp_core::{Pair, H256};
use sp_runtime::{
    traits::{BlakeTwo256, Dispatchable},
    transaction_validity::{TransactionSource, TransactionValidityError},
    BuildStorage, DispatchError, Perbill,
};

pub type AccountId = u64;
pub type Extension = frame_system::AuthorizeCall<Test>;
pub type Extrinsic = sp_runtime::testing::TestXt<RuntimeCall, Extension>;
pub type Block = sp_runtime::generic::Block<sp_runtime::generic::Header<u64, BlakeTwo256>, Extrinsic>;

pub const SESSION: SessionIndex = 4;
pub const BOND: Balance = 100;
pub const EXECUTOR: AccountId = 1;
pub const JOB: JobId = H256([7; 32]);
pub const CHECK: u64 = 10;
pub const WIDENED: u64 = 12;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Verification: pallet_verification,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
}

parameter_types! {
    pub static Set: Vec<Member<AccountId>> = Vec::new();
    pub static Slashes: Vec<(AccountId, Perbill, Fault)> = Vec::new();
    pub static Verdicts: Vec<(JobKind, JobId, Verdict<AccountId>)> = Vec::new();
    pub static Spec: Option<JobSpec> = None;
    pub static BlockValue: Option<H256> = None;
    pub const WrongClaim: Perbill = Perbill::from_percent(30);
    pub const WrongDispute: Perbill = Perbill::from_percent(10);
}

pub struct Recorded;
impl traits::SessionMembers<AccountId> for Recorded {
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
impl traits::Slash<AccountId> for Recorded {
    fn slash(who: &AccountId, part: Perbill, fault: Fault) -> Balance {
        Slashes::mutate(|slashes| slashes.push((*who, part, fault)));
        part * BOND
    }
}
impl traits::JobHandler<AccountId> for Recorded {
    fn check_spec(_: JobKind, _: JobId) -> Option<JobSpec> {
        Spec::get()
    }
    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<AccountId>) {
        // A pallet may have the job claimed again at once.
        assert!(!Claims::<Test>::contains_key(job));
        Verdicts::mutate(|verdicts| verdicts.push((kind, job, verdict)));
    }
}
impl Randomness<Option<H256>, u64> for Recorded {
    fn random(_: &[u8]) -> (Option<H256>, u64) {
        (BlockValue::get(), System::block_number().saturating_sub(1))
    }
}

impl pallet_verification::Config for Test {
    type Members = Recorded;
    type Slash = Recorded;
    type Jobs = Recorded;
    type Randomness = Recorded;
    type MaxOpenClaims = ConstU32<8>;
    type MaxDuePerBlock = ConstU32<3>;
    type DrawBlocks = ConstU32<2>;
    type CheckPeriod = ConstU64<CHECK>;
    type WidenedPeriod = ConstU64<WIDENED>;
    type GiveUpBlocks = ConstU64<3>;
    type WrongClaimSlash = WrongClaim;
    type WrongDisputeSlash = WrongDispute;
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

pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| {
        Set::set(
            (1..=members)
                .map(|account| Member {
                    account,
                    key: pair(account).public(),
                    bond: BOND,
                })
                .collect(),
        );
        Slashes::take();
        Verdicts::take();
        Spec::take();
        BlockValue::take();
        System::set_block_number(1);
    });
    ext
}

/// Runs the test, then checks what must always hold.
pub fn test(members: AccountId, story: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        story();
        Verification::do_try_state().unwrap();
    });
}

pub fn run_to(block: u64) {
    System::run_to_block::<AllPalletsWithSystem>(block);
}

/// What an honest execution of [`JOB`] yields.
pub fn truth() -> Trace {
    Trace {
        result: H256([1; 32]),
        root: H256([2; 32]),
        secret: H256([3; 32]),
    }
}

/// What a cheat would have instead.
pub fn lie() -> Trace {
    Trace {
        result: H256([4; 32]),
        root: H256([5; 32]),
        secret: H256([6; 32]),
    }
}

/// Opens a claim of [`EXECUTOR`] on [`JOB`].
pub fn open(trace: Trace, rule: CommitteeRule) -> Result<(), DispatchError> {
    Verification::open(JobKind::Inference, JOB, &EXECUTOR, trace.claim(), rule)
}

pub fn agree(member: AccountId, trace: Trace) -> Answer {
    Answer::Agree(receipt(&member, &JOB, &trace.secret))
}

pub fn differ(trace: Trace) -> Answer {
    Answer::Differ {
        result: trace.result,
        root: trace.root,
    }
}

/// How a report can fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    Refused(TransactionValidityError),
    Dispatch(DispatchError),
}

pub fn refused(refusal: ReportRefusal) -> Result<(), Failed> {
    Err(Failed::Refused(refusal.into()))
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

pub fn receipt_message(member: AccountId, answer: Answer) -> Message<AccountId, Report> {
    let claim = Claims::<Test>::get(JOB).map(|open| open.claim.id()).unwrap_or_default();
    Message {
        member,
        session: SESSION,
        job: JOB,
        body: Report { claim, answer },
    }
}

pub fn signed<Body: codec::Encode>(
    by: AccountId,
    domain: &[u8],
    message: &Message<AccountId, Body>,
) -> CommitteeSignature {
    pair(by).sign(&message.digest(domain, &Verification::genesis()))
}

pub fn answer(member: AccountId, answer: Answer) -> Result<(), Failed> {
    let message = receipt_message(member, answer);
    let signature = signed(member, RECEIPT_DOMAIN, &message);
    submit(Call::submit_receipt { message, signature })
}

pub fn open_secret(member: AccountId, secret: H256) -> Result<(), Failed> {
    let message = Message {
        member,
        session: SESSION,
        job: JOB,
        body: secret,
    };
    let signature = signed(member, OPENING_DOMAIN, &message);
    submit(Call::submit_opening { message, signature })
}

/// Who is asked now.
pub fn asked() -> Vec<AccountId> {
    let open = Claims::<Test>::get(JOB).unwrap();
    open.claim.asked().map(|voter| voter.account).collect()
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    let event = RuntimeEvent::from(event);
    System::events().iter().any(|record| record.event == event)
}
