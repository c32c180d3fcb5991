// SPDX-License-Identifier: Apache-2.0
//! The offchain worker with a mock engine.

use crate::{mock::*, round::Phase, Contributions, Rounds};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    receipt::{scores_result, weights_result, Trace},
    training::{Contribution, Score},
    traits::{JobHandler as _, JobKind, Verdict},
    BlobId,
};
use frame_support::{assert_ok, traits::Hooks};
use sp_core::H256;

/// Runs `test` on a chain of four members, with a node that holds the keys of `local`.
fn run_node_test(local: &[AccountId], test: impl FnOnce(TestNode)) {
    let mut ext = new_test_ext(4);
    let node = TestNode::new(&mut ext, local);
    ext.execute_with(|| {
        test(node);
        Training::do_try_state().unwrap();
    });
}

/// Runs the offchain worker, submits its reports and advances by one block. Returns the number of reports.
fn run_block(node: &TestNode) -> usize {
    Training::offchain_worker(System::block_number());
    let calls = node.take_calls::<RuntimeCall, Test>();
    let count = calls.len();
    for call in calls {
        submit(call).unwrap();
    }
    next_block();
    count
}

fn trace(result: H256) -> Trace {
    Trace {
        result,
        root: H256([1; 32]),
        secret: H256([2; 32]),
    }
}

/// A result of the engine for each job of a round.
fn engine_result(spec: &JobSpec) -> JobStatus {
    let blob = |kind: u8, worker: u32| BlobId([kind, worker as u8 + 1].repeat(16).try_into().unwrap());
    JobStatus::Done(match spec {
        JobSpec::Train(train) => JobResult::Trained(Contribution {
            payload: blob(1, train.worker),
            payload_bytes: 100,
            error_feedback: blob(2, train.worker),
            states: (0..train.recipe.segments())
                .map(|i| blob(3 + i as u8, train.worker))
                .collect(),
            loss_first: 10,
            loss_last: 9,
        }),
        JobSpec::Audit(_) => JobResult::Audited { matches: true },
        JobSpec::Score(score) => {
            let gain = |(worker, _): &(u32, BlobId)| Score {
                worker: *worker,
                held_out: 1,
                own: 1,
            };
            let scores: Vec<_> = score.contributions.iter().map(gain).collect();
            let trace = trace(scores_result(&scores));
            JobResult::Scored { scores, trace }
        }
        JobSpec::Aggregate(_) => {
            let (weights, loss_before, loss_after) = (BlobId([210; 32]), 10, 8);
            let trace = trace(weights_result(&weights, loss_before, loss_after));
            JobResult::Aggregated {
                weights,
                loss_before,
                loss_after,
                trace,
            }
        }
        JobSpec::Generate(_) | JobSpec::Check(_) => return JobStatus::Pending,
    })
}

#[test]
fn node_with_all_keys_completes_a_plan() {
    run_node_test(&[1, 2, 3, 4], |node| {
        node.engine.answer_with(engine_result);
        assert_ok!(CreatePlanCall {
            rounds: 1,
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
        for _ in 0..40 {
            run_block(&node);
            if let Some((kind, job, ..)) = OpenClaims::take().pop() {
                assert!(Training::check_spec(kind, job).is_some());
                Training::on_verdict(kind, job, Verdict::Settled { checkers: vec![] });
            }
        }
        let summary = Rounds::<Test>::get(PLAN, 0).unwrap();
        assert_eq!((summary.accepted, summary.weights), (4, BlobId([210; 32])));
        assert_eq!(summary.paid, REWARD);
        // Each job was enqueued once: 4 trainings, 4 audits, scores and weights.
        assert_eq!(node.engine.enqueued().len(), 10);
        assert_eq!(run_block(&node), 0);
    });
}

#[test]
fn lost_report_is_submitted_again_and_included_report_is_not() {
    run_node_test(&[2], |node| {
        create_plan();
        Training::offchain_worker(1);
        Training::offchain_worker(2);
        // Both reports are lost.
        assert_eq!(node.take_calls::<RuntimeCall, Test>().len(), 2);
        assert_eq!(run_block(&node), 1);
        assert_eq!(run_block(&node), 0);
    });
}

#[test]
fn report_waits_for_the_result_of_the_engine() {
    run_node_test(&[2], |node| {
        create_plan();
        enrol(1).unwrap();
        enrol(2).unwrap();
        run_to_phase(Phase::Train);
        assert_eq!(run_block(&node), 0);
        let train = node.engine.enqueued().pop().unwrap();
        assert!(matches!(&train, JobSpec::Train(spec) if spec.worker == 1 && spec.workers == 2));
        node.engine
            .answer(train.id(), JobStatus::Failed(JobFailure::BlobUnavailable));
        assert_eq!(run_block(&node), 0);
        node.engine.answer(train.id(), engine_result(&train));
        assert_eq!(run_block(&node), 1);
        assert_eq!(Contributions::<Test>::iter_prefix(PLAN).count(), 1);
        assert_eq!(run_block(&node), 0);
    });
}

#[test]
fn every_member_computes_the_claim_and_only_the_executor_submits_it() {
    let run = |local_members: fn(u64) -> Vec<u64>, claims: usize| {
        // The executor drawn is the same in every run.
        let mut drawn = 0;
        run_test(4, || {
            create_plan();
            train_without(&[]);
            audit_all(&[]);
            run_to_phase(Phase::Score);
            drawn = executor();
        });
        run_node_test(&local_members(drawn), |node| {
            node.engine.answer_with(engine_result);
            create_plan();
            train_without(&[]);
            audit_all(&[]);
            run_to_phase(Phase::Score);
            Training::offchain_worker(0);
            assert_eq!(run_block(&node), claims);
            assert!(matches!(node.engine.enqueued()[..], [JobSpec::Score(_)]));
            assert_eq!(OpenClaims::get().len(), claims);
            assert!(OpenClaims::get().iter().all(|(kind, ..)| *kind == JobKind::Score));
        });
    };
    run(|drawn| vec![drawn], 1);
    run(|drawn| (1..=4).filter(|who| *who != drawn).collect(), 0);
}

#[test]
fn node_does_not_enrol_when_it_has_no_engine() {
    let mut ext = new_test_ext(4);
    let node = TestNode::without_engine(&mut ext, &[1]);
    ext.execute_with(|| {
        create_plan();
        Training::offchain_worker(1);
        assert!(node.take_calls::<RuntimeCall, Test>().is_empty());
    });
}
