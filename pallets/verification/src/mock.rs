// SPDX-License-Identifier: Apache-2.0
//! A mock runtime with members 1..=n of equal bond, which records verdicts and slashes.

use crate::{self as pallet_verification, claim::Answer, Call, Claims, ReceiptBody, RECEIPT_DOMAIN, REVEAL_DOMAIN};
use agorai_primitives::{
    job::JobSpec,
    message::Message,
    receipt::{receipt, Trace},
    traits::{self, ClaimVerifier as _, CommitteeRule, Fault, JobKind, Verdict},
    Balance, CommitteeSignature, JobId,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU32, ConstU64},
};
use pallet_support::SignedReports;
use pallet_testing::{impl_authorized_transactions, key_pair, set_members, MockMembers, MockRandomness};
use sp_core::{Pair, H256};
use sp_runtime::{BuildStorage, DispatchError, Perbill};

pub use pallet_testing::{refused, AccountId, BlockRandomness, Failed, Members, BOND, SESSION};

pub const EXECUTOR: AccountId = 1;
pub const JOB: JobId = H256([7; 32]);
pub const CHECK: u64 = 10;
pub const WIDENED: u64 = 12;

pub type E = crate::Error<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Verification: pallet_verification,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = pallet_testing::Block<RuntimeCall, Test>;
}

impl_authorized_transactions!(Test);

parameter_types! {
    pub static Slashes: Vec<(AccountId, Perbill, Fault)> = Vec::new();
    pub static Verdicts: Vec<(JobKind, JobId, Verdict<AccountId>)> = Vec::new();
    pub static Spec: Option<JobSpec> = None;
    pub const WrongClaim: Perbill = Perbill::from_percent(30);
    pub const WrongDispute: Perbill = Perbill::from_percent(10);
}

/// Records slashes and verdicts.
pub struct Recorder;

impl traits::Slash<AccountId> for Recorder {
    fn slash(who: &AccountId, part: Perbill, fault: Fault) -> Balance {
        Slashes::mutate(|slashes| slashes.push((*who, part, fault)));
        part * BOND
    }
}

impl traits::JobHandler<AccountId> for Recorder {
    fn check_spec(_: JobKind, _: JobId) -> Option<JobSpec> {
        Spec::get()
    }
    fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<AccountId>) {
        // A pallet may open a new claim on the job in this function.
        assert!(!Claims::<Test>::contains_key(job));
        Verdicts::mutate(|verdicts| verdicts.push((kind, job, verdict)));
    }
}

impl pallet_verification::Config for Test {
    type Members = MockMembers;
    type Slash = Recorder;
    type Jobs = Recorder;
    type Randomness = MockRandomness;
    type MaxOpenClaims = ConstU32<8>;
    type MaxDuePerBlock = ConstU32<3>;
    type DrawBlocks = ConstU32<2>;
    type CheckPeriod = ConstU64<CHECK>;
    type WidenedPeriod = ConstU64<WIDENED>;
    type FailureReportPeriod = ConstU64<3>;
    type WrongClaimSlash = WrongClaim;
    type WrongDisputeSlash = WrongDispute;
    type WeightInfo = ();
}

pub fn new_test_ext(members: AccountId) -> sp_io::TestExternalities {
    let storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| {
        set_members(members);
        Slashes::take();
        Verdicts::take();
        Spec::take();
        System::set_block_number(1);
    });
    ext
}

/// Runs a test with `members` members, then checks the invariants of the storage.
pub fn test(members: AccountId, scenario: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        scenario();
        Verification::do_try_state().unwrap();
    });
}

pub fn run_to(block: u64) {
    System::run_to_block::<AllPalletsWithSystem>(block);
}

/// The trace of an honest execution of [`JOB`].
pub fn truth() -> Trace {
    Trace {
        result: H256([1; 32]),
        root: H256([2; 32]),
        secret: H256([3; 32]),
    }
}

/// The trace of a dishonest execution of [`JOB`].
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

/// Authorizes and dispatches a call.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    pallet_testing::submit::<RuntimeCall>(call.into())
}

pub fn receipt_message(member: AccountId, answer: Answer) -> Message<AccountId, ReceiptBody> {
    let claim = Claims::<Test>::get(JOB).map(|open| open.claim.id()).unwrap_or_default();
    Message {
        member,
        session: SESSION,
        job: JOB,
        body: ReceiptBody { claim, answer },
    }
}

pub fn signed<Body: codec::Encode>(
    by: AccountId,
    domain: &[u8],
    message: &Message<AccountId, Body>,
) -> CommitteeSignature {
    key_pair(by).sign(&message.digest(domain, &Verification::genesis_hash()))
}

pub fn answer(member: AccountId, answer: Answer) -> Result<(), Failed> {
    let message = receipt_message(member, answer);
    let signature = signed(member, RECEIPT_DOMAIN, &message);
    submit(Call::submit_receipt { message, signature })
}

pub fn reveal(member: AccountId, secret: H256) -> Result<(), Failed> {
    let message = Message {
        member,
        session: SESSION,
        job: JOB,
        body: secret,
    };
    let signature = signed(member, REVEAL_DOMAIN, &message);
    submit(Call::reveal_secret { message, signature })
}

/// The members that are assigned to check the claim.
pub fn assigned() -> Vec<AccountId> {
    let open = Claims::<Test>::get(JOB).unwrap();
    open.claim.assigned().map(|voter| voter.account).collect()
}

/// Whether the event was emitted.
pub fn emitted(event: crate::Event<Test>) -> bool {
    pallet_testing::emitted::<Test>(event)
}
