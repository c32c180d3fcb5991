// SPDX-License-Identifier: Apache-2.0
//! The offchain worker with a fake engine: what it computes, what it sends, what it leaves alone.

use crate::{claim::Answer, mock::*, Call};
use agorai_engine_interface::{testing::FakeEngine, ComputeExt};
use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, JobFailure, JobResult, JobSpec, JobStatus, Profile, Sampling},
    model::Architecture,
    receipt::Trace,
    traits::CommitteeRule,
    BlobId, COMMITTEE_KEY_TYPE,
};
use codec::Decode;
use frame_support::{assert_ok, traits::OffchainWorker};
use sp_core::offchain::{
    testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
    OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};
use std::sync::Arc;

const THREE: CommitteeRule = CommitteeRule::Drawn { size: 3 };

fn generate() -> GenerateSpec {
    GenerateSpec {
        nonce: 0,
        profile: Profile::ExactF32V1,
        architecture: Architecture::SMALL,
        weights: BlobId::default(),
        prompt: b"agora".to_vec(),
        sampling: Sampling {
            max_tokens: 4,
            temperature_milli: 0,
            top_k: 0,
            top_p_milli: 0,
            seed: 0,
            stop: None,
        },
    }
}

fn check() -> JobSpec {
    JobSpec::Check(CheckSpec {
        generate: generate(),
        output: b"ora.".to_vec(),
    })
}

fn checked(trace: Option<Trace>) -> JobStatus {
    JobStatus::Done(JobResult::Checked { trace })
}

type Pool = Arc<parking_lot::RwLock<PoolState>>;

/// A node with the keys of `local` and an engine; four members.
fn node(local: &[AccountId], story: impl FnOnce(&FakeEngine, &Pool)) {
    let mut ext = new_test_ext(4);
    let (offchain, _) = TestOffchainExt::new();
    let (pool, pool_state) = TestTransactionPoolExt::new();
    let keystore = MemoryKeystore::new();
    for member in local {
        keystore
            .sr25519_generate_new(COMMITTEE_KEY_TYPE, Some(&seed(*member)))
            .unwrap();
    }
    let engine = FakeEngine::new();
    ext.register_extension(OffchainDbExt::new(offchain.clone()));
    ext.register_extension(OffchainWorkerExt::new(offchain));
    ext.register_extension(TransactionPoolExt::new(pool));
    ext.register_extension(KeystoreExt::new(keystore));
    ext.register_extension(ComputeExt::new(engine.clone()));
    ext.execute_with(|| {
        Spec::set(Some(check()));
        story(&engine, &pool_state);
        Verification::do_try_state().unwrap();
    });
}

/// Runs the offchain worker once; the calls it has sent.
fn work(pool: &Pool) -> Vec<Call<Test>> {
    Verification::offchain_worker(System::block_number());
    let sent = std::mem::take(&mut pool.write().transactions);
    sent.into_iter()
        .map(|bytes| match Extrinsic::decode(&mut &bytes[..]).unwrap().function {
            RuntimeCall::Verification(call) => call,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Runs it, and includes what it has sent in the block.
fn work_and_include(pool: &Pool) -> usize {
    let calls = work(pool);
    let count = calls.len();
    for call in calls {
        assert_ok!(submit(call));
    }
    count
}

fn answers(calls: &[Call<Test>]) -> Vec<(AccountId, Answer)> {
    calls
        .iter()
        .filter_map(|call| match call {
            Call::submit_receipt { message, .. } => Some((message.member, message.body.answer)),
            _ => None,
        })
        .collect()
}

#[test]
fn members_of_a_node_check_agree_and_open() {
    node(&[2, 3, 4], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        // The first block only enqueues.
        assert!(work(pool).is_empty());
        assert_eq!(engine.enqueued(), [check()]);
        assert!(work(pool).is_empty());
        engine.answer(check().id(), checked(Some(truth())));
        assert_eq!(work_and_include(pool), 3);
        assert!(Verdicts::get().is_empty());
        assert_eq!(work_and_include(pool), 1);
        assert_eq!(Verdicts::get().len(), 1);
        assert!(work(pool).is_empty());
    });
}

#[test]
fn lost_answer_is_sent_again() {
    node(&[3], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        let first = answers(&work(pool));
        assert_eq!(first, [(3, agree(3, truth()))]);
        assert_eq!(answers(&work(pool)), first);
        assert_eq!(work_and_include(pool), 1);
        assert!(work(pool).is_empty());
    });
}

#[test]
fn member_differs_when_it_computes_another_trace() {
    node(&[2], |engine, pool| {
        assert_ok!(open(lie(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        assert_eq!(answers(&work(pool)), [(2, differ(truth()))]);
    });
}

#[test]
fn members_differ_alike_when_the_output_is_impossible() {
    node(&[2, 3, 4], |engine, pool| {
        assert_ok!(open(lie(), THREE));
        engine.answer(check().id(), checked(None));
        assert_eq!(work_and_include(pool), 3);
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn member_gives_up_only_close_to_the_deadline() {
    node(&[2], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), JobStatus::Failed(JobFailure::BlobUnavailable));
        assert!(work(pool).is_empty());
        System::set_block_number(1 + CHECK - 4);
        assert!(work(pool).is_empty());
        System::set_block_number(1 + CHECK - 3);
        let unable = Answer::Unable(JobFailure::BlobUnavailable);
        assert_eq!(answers(&work(pool)), [(2, unable)]);
    });
}

#[test]
fn member_is_unable_when_the_engine_answers_another_question() {
    node(&[2], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        let nonsense = JobStatus::Done(JobResult::Audited { matches: true });
        engine.answer(check().id(), nonsense);
        System::set_block_number(CHECK);
        assert_eq!(answers(&work(pool)), [(2, Answer::Unable(JobFailure::Invalid))]);
    });
}

#[test]
fn executor_opens_with_the_trace_of_its_generation() {
    node(&[EXECUTOR], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        let done = JobResult::Generated {
            output: b"ora.".to_vec(),
            tokens: 9,
            trace: truth(),
        };
        engine.answer(JobSpec::Generate(generate()).id(), JobStatus::Done(done));
        for member in 2..=4 {
            assert!(work(pool).is_empty());
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_eq!(work_and_include(pool), 1);
        assert_eq!(Verdicts::get().len(), 1);
        // It has not computed anything for it.
        assert!(engine.enqueued().is_empty());
    });
}

#[test]
fn secret_is_kept_when_the_receipts_do_not_open() {
    node(&[EXECUTOR], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        for member in 2..=4 {
            assert_ok!(answer(member, agree(9, truth())));
        }
        assert!(work(pool).is_empty());
    });
}

#[test]
fn node_without_keys_or_without_a_job_to_check_does_nothing() {
    node(&[], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        assert!(work(pool).is_empty());
        assert!(engine.enqueued().is_empty());
    });
    node(&[2], |engine, pool| {
        assert_ok!(open(truth(), THREE));
        Spec::set(None);
        assert!(work(pool).is_empty());
        assert!(engine.enqueued().is_empty());
    });
}
