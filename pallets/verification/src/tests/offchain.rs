// SPDX-License-Identifier: Apache-2.0
//! The offchain worker with a fake engine: the jobs that it enqueues and the calls that it submits.

use crate::{claim::Answer, mock::*, Call};
use agorai_engine_interface::testing::FakeEngine;
use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, JobFailure, JobResult, JobSpec, JobStatus, Profile, Sampling},
    model::Architecture,
    receipt::Trace,
    traits::CommitteeRule,
    BlobId,
};
use frame_support::{assert_ok, traits::OffchainWorker};
use pallet_testing::TestNode;

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

/// Runs a test on a chain of four members with a node that holds the keys of `local`.
fn node(local: &[AccountId], scenario: impl FnOnce(&FakeEngine, &TestNode)) {
    let mut ext = new_test_ext(4);
    let node = TestNode::new(&mut ext, local);
    ext.execute_with(|| {
        Spec::set(Some(check()));
        scenario(&node.engine, &node);
        Verification::do_try_state().unwrap();
    });
}

/// Runs the offchain worker once and returns the submitted calls.
fn work(node: &TestNode) -> Vec<Call<Test>> {
    Verification::offchain_worker(System::block_number());
    node.take_calls::<RuntimeCall, Test>()
        .into_iter()
        .map(|call| match call {
            RuntimeCall::Verification(call) => call,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Runs the offchain worker and includes the submitted calls in the block. Returns their number.
fn work_and_include(node: &TestNode) -> usize {
    let calls = work(node);
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
fn members_of_a_node_check_agree_and_reveal() {
    node(&[2, 3, 4], |engine, node| {
        assert_ok!(open(truth(), THREE));
        // The first block only enqueues.
        assert!(work(node).is_empty());
        assert_eq!(engine.enqueued(), [check()]);
        assert!(work(node).is_empty());
        engine.answer(check().id(), checked(Some(truth())));
        assert_eq!(work_and_include(node), 3);
        assert!(Verdicts::get().is_empty());
        assert_eq!(work_and_include(node), 1);
        assert_eq!(Verdicts::get().len(), 1);
        assert!(work(node).is_empty());
    });
}

#[test]
fn lost_answer_is_submitted_again() {
    node(&[3], |engine, node| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        let first = answers(&work(node));
        assert_eq!(first, [(3, agree(3, truth()))]);
        assert_eq!(answers(&work(node)), first);
        assert_eq!(work_and_include(node), 1);
        assert!(work(node).is_empty());
    });
}

#[test]
fn member_differs_when_it_computes_another_trace() {
    node(&[2], |engine, node| {
        assert_ok!(open(lie(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        assert_eq!(answers(&work(node)), [(2, differ(truth()))]);
    });
}

#[test]
fn members_give_the_same_dispute_when_the_output_is_impossible() {
    node(&[2, 3, 4], |engine, node| {
        assert_ok!(open(lie(), THREE));
        engine.answer(check().id(), checked(None));
        assert_eq!(work_and_include(node), 3);
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn failure_is_reported_only_close_to_the_deadline() {
    node(&[2], |engine, node| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), JobStatus::Failed(JobFailure::BlobUnavailable));
        assert!(work(node).is_empty());
        System::set_block_number(1 + CHECK - 4);
        assert!(work(node).is_empty());
        System::set_block_number(1 + CHECK - 3);
        let unable = Answer::Unable(JobFailure::BlobUnavailable);
        assert_eq!(answers(&work(node)), [(2, unable)]);
    });
}

#[test]
fn member_is_unable_when_the_engine_returns_another_kind_of_result() {
    node(&[2], |engine, node| {
        assert_ok!(open(truth(), THREE));
        let nonsense = JobStatus::Done(JobResult::Audited { matches: true });
        engine.answer(check().id(), nonsense);
        System::set_block_number(CHECK);
        assert_eq!(answers(&work(node)), [(2, Answer::Unable(JobFailure::Invalid))]);
    });
}

#[test]
fn executor_reveals_with_the_trace_of_its_generation() {
    node(&[EXECUTOR], |engine, node| {
        assert_ok!(open(truth(), THREE));
        let done = JobResult::Generated {
            output: b"ora.".to_vec(),
            tokens: 9,
            trace: truth(),
        };
        engine.answer(JobSpec::Generate(generate()).id(), JobStatus::Done(done));
        for member in 2..=4 {
            assert!(work(node).is_empty());
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_eq!(work_and_include(node), 1);
        assert_eq!(Verdicts::get().len(), 1);
        // It reveals without running a check.
        assert!(engine.enqueued().is_empty());
    });
}

#[test]
fn secret_is_not_revealed_when_the_receipts_do_not_verify() {
    node(&[EXECUTOR], |engine, node| {
        assert_ok!(open(truth(), THREE));
        engine.answer(check().id(), checked(Some(truth())));
        for member in 2..=4 {
            assert_ok!(answer(member, agree(9, truth())));
        }
        assert!(work(node).is_empty());
    });
}

#[test]
fn node_without_keys_or_without_a_job_to_check_does_nothing() {
    node(&[], |engine, node| {
        assert_ok!(open(truth(), THREE));
        assert!(work(node).is_empty());
        assert!(engine.enqueued().is_empty());
    });
    node(&[2], |engine, node| {
        assert_ok!(open(truth(), THREE));
        Spec::set(None);
        assert!(work(node).is_empty());
        assert!(engine.enqueued().is_empty());
    });
}
