// SPDX-License-Identifier: Apache-2.0
//! What a validator's node does by itself, with an engine that a test answers for.
use crate::{mock::*, types::Phase, Contributions, Rounds};
use agorai_engine_interface::{testing::FakeEngine, ComputeExt};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    receipt::{scores_result, weights_result, Trace},
    training::{Contribution, Score},
    traits::{JobHandler as _, JobKind, Verdict},
    BlobId, COMMITTEE_KEY_TYPE,
};
use codec::Decode;
use frame_support::{assert_ok, traits::Hooks};
use sp_core::{
    offchain::{
        testing::{TestOffchainExt, TestTransactionPoolExt},
        OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
    },
    H256,
};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};

/// Takes all transactions out of the pool.
type Pool = Box<dyn Fn() -> Vec<Vec<u8>>>;

/// A chain of four members seen by a node that holds the keys of `local`.
fn node(local: &[u64], story: impl FnOnce(&FakeEngine, &Pool)) {
    let mut ext = new_test_ext(4);
    let keystore = MemoryKeystore::new();
    for member in local {
        keystore
            .sr25519_generate_new(COMMITTEE_KEY_TYPE, Some(&seed(*member)))
            .unwrap();
    }
    let engine = FakeEngine::new();
    let (offchain, _) = TestOffchainExt::new();
    let (pool, state) = TestTransactionPoolExt::new();
    ext.register_extension(KeystoreExt::new(keystore));
    ext.register_extension(OffchainDbExt::new(offchain.clone()));
    ext.register_extension(OffchainWorkerExt::new(offchain));
    ext.register_extension(TransactionPoolExt::new(pool));
    ext.register_extension(ComputeExt::new(engine.clone()));
    ext.execute_with(|| {
        let pool: Pool = Box::new(move || std::mem::take(&mut state.write().transactions));
        story(&engine, &pool);
        Training::do_try_state().unwrap();
    });
}

/// The offchain worker runs, and a block takes what it has sent; returns how many reports that were.
fn block(pool: &Pool) -> usize {
    Training::offchain_worker(System::block_number());
    let sent = pool();
    for bytes in &sent {
        let transaction = Extrinsic::decode(&mut &bytes[..]).unwrap();
        submit(transaction.function).unwrap();
    }
    next_block();
    sent.len()
}

fn trace(result: H256) -> Trace {
    Trace {
        result,
        root: H256([1; 32]),
        secret: H256([2; 32]),
    }
}

fn answer(spec: &JobSpec) -> JobStatus {
    let named = |what: u8, worker: u32| BlobId([what, worker as u8 + 1].repeat(16).try_into().unwrap());
    JobStatus::Done(match spec {
        JobSpec::Train(train) => JobResult::Trained(Contribution {
            payload: named(1, train.worker),
            payload_bytes: 100,
            error_feedback: named(2, train.worker),
            states: (0..train.recipe.segments())
                .map(|i| named(3 + i as u8, train.worker))
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
fn node_of_all_members_brings_a_plan_to_its_end() {
    node(&[1, 2, 3, 4], |engine, pool| {
        engine.answer_with(answer);
        assert_ok!(Draft {
            rounds: 1,
            ..Draft::default()
        }
        .create(OWNER));
        for _ in 0..40 {
            block(pool);
            if let Some((kind, job, ..)) = Opened::take().pop() {
                assert!(Training::check_spec(kind, job).is_some());
                Training::on_verdict(kind, job, Verdict::Settled { checkers: vec![] });
            }
        }
        let summary = Rounds::<Test>::get(PLAN, 0).unwrap();
        assert_eq!((summary.accepted, summary.weights), (4, BlobId([210; 32])));
        assert_eq!(summary.paid, REWARD);
        // Each job was enqueued once: 4 trainings, 4 audits, the scores, the weights.
        assert_eq!(engine.enqueued().len(), 10);
        assert_eq!(block(pool), 0);
    });
}

#[test]
fn node_sends_again_what_was_lost_and_nothing_that_is_done() {
    node(&[2], |_, pool| {
        assert_ok!(Draft::default().create(OWNER));
        Training::offchain_worker(1);
        Training::offchain_worker(2);
        // Both are lost.
        assert_eq!(pool().len(), 2);
        assert_eq!(block(pool), 1);
        assert_eq!(block(pool), 0);
    });
}

#[test]
fn node_waits_while_its_engine_works_and_when_it_fails() {
    node(&[2], |engine, pool| {
        assert_ok!(Draft::default().create(OWNER));
        enrol(1).unwrap();
        enrol(2).unwrap();
        wait_for(Phase::Train);
        assert_eq!(block(pool), 0);
        let train = engine.enqueued().pop().unwrap();
        assert!(matches!(&train, JobSpec::Train(spec) if spec.worker == 1 && spec.workers == 2));
        engine.answer(train.id(), JobStatus::Failed(JobFailure::BlobUnavailable));
        assert_eq!(block(pool), 0);
        engine.answer(train.id(), answer(&train));
        assert_eq!(block(pool), 1);
        assert_eq!(Contributions::<Test>::iter_prefix(PLAN).count(), 1);
        assert_eq!(block(pool), 0);
    });
}

#[test]
fn every_member_computes_a_claim_and_only_the_executor_makes_it() {
    let story = |of: fn(u64) -> Vec<u64>, claims: usize| {
        // Who is drawn is the same in every run.
        let mut drawn = 0;
        test(4, || {
            assert_ok!(Draft::default().create(OWNER));
            train_without(&[]);
            audit_all(&[]);
            wait_for(Phase::Score);
            drawn = executor();
        });
        node(&of(drawn), |engine, pool| {
            engine.answer_with(answer);
            assert_ok!(Draft::default().create(OWNER));
            train_without(&[]);
            audit_all(&[]);
            wait_for(Phase::Score);
            Training::offchain_worker(0);
            assert_eq!(block(pool), claims);
            assert!(matches!(engine.enqueued()[..], [JobSpec::Score(_)]));
            assert_eq!(Opened::get().len(), claims);
            assert!(Opened::get().iter().all(|(kind, ..)| *kind == JobKind::Score));
        });
    };
    story(|drawn| vec![drawn], 1);
    story(|drawn| (1..=4).filter(|who| *who != drawn).collect(), 0);
}

#[test]
fn node_does_not_enrol_when_it_has_no_engine() {
    let mut ext = new_test_ext(4);
    let keystore = MemoryKeystore::new();
    keystore
        .sr25519_generate_new(COMMITTEE_KEY_TYPE, Some(&seed(1)))
        .unwrap();
    let (pool, state) = TestTransactionPoolExt::new();
    ext.register_extension(KeystoreExt::new(keystore));
    ext.register_extension(TransactionPoolExt::new(pool));
    ext.execute_with(|| {
        assert_ok!(Draft::default().create(OWNER));
        Training::offchain_worker(1);
        assert!(state.read().transactions.is_empty());
    });
}
