// SPDX-License-Identifier: Apache-2.0
//! The offchain worker with a fake engine: what it computes, what it sends, what it leaves alone.

use crate::{mock::*, types::RequestStatus, Call};
use agorai_engine_interface::{testing::FakeEngine, ComputeExt};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    traits::Verdict,
    COMMITTEE_KEY_TYPE,
};
use codec::Decode;
use frame_support::{assert_ok, traits::OffchainWorker};
use sp_core::offchain::{
    testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
    OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystoreExt};
use std::sync::Arc;

/// A validator's machine and its chain.
struct Machine {
    engine: Arc<FakeEngine>,
    pool: Arc<parking_lot::RwLock<PoolState>>,
}

impl Machine {
    /// Runs `story` on a chain of four members with a machine that has the keys of `local`.
    fn with_keys(local: &[AccountId], story: impl FnOnce(Machine)) {
        let keystore = MemoryKeystore::new();
        for member in local {
            let key = Some(seed(*member));
            keystore
                .sr25519_generate_new(COMMITTEE_KEY_TYPE, key.as_deref())
                .unwrap();
        }
        let engine = FakeEngine::new();
        let (offchain, _) = TestOffchainExt::new();
        let (transactions, pool) = TestTransactionPoolExt::new();
        let mut ext = new_test_ext(4);
        ext.register_extension(KeystoreExt::new(keystore));
        ext.register_extension(ComputeExt::new(engine.clone()));
        ext.register_extension(OffchainDbExt::new(offchain.clone()));
        ext.register_extension(OffchainWorkerExt::new(offchain));
        ext.register_extension(TransactionPoolExt::new(transactions));
        ext.execute_with(|| {
            story(Machine { engine, pool });
            Inference::do_try_state().unwrap();
        });
    }

    /// The calls that one run of the offchain worker sends.
    fn work(&self) -> Vec<Call<Test>> {
        Inference::offchain_worker(System::block_number());
        let mut sent = Vec::new();
        for bytes in self.pool.write().transactions.drain(..) {
            let extrinsic = Extrinsic::decode(&mut &bytes[..]).unwrap();
            let RuntimeCall::Inference(call) = extrinsic.function else {
                panic!("a call of another pallet");
            };
            sent.push(call);
        }
        sent
    }

    fn answers(&self, request: u64, output: &[u8], tokens: u32) {
        let done = JobResult::Generated {
            output: output.to_vec(),
            tokens,
            trace: trace(output, tokens),
        };
        let job = record(request).job;
        self.engine.answer(job, JobStatus::Done(done));
    }
}

const ALL: [AccountId; 4] = [1, 2, 3, 4];

#[test]
fn executor_generates_and_claims() {
    Machine::with_keys(&ALL, |machine| {
        let request = Draft::default().ask();
        // The first block only enqueues, and the engine takes its time.
        assert!(machine.work().is_empty());
        assert!(machine.work().is_empty());
        let spec = JobSpec::Generate(record(request).generate(request));
        assert_eq!(machine.engine.enqueued(), [spec]);
        machine.answers(request, OUTPUT, TOKENS);
        let sent = machine.work();
        assert_eq!(sent.len(), 1);
        for call in sent {
            assert_ok!(submit(call));
        }
        assert!(matches!(record(request).status, RequestStatus::Claimed { .. }));
        assert!(machine.work().is_empty());
    });
}

#[test]
fn lost_claim_is_sent_again() {
    Machine::with_keys(&ALL, |machine| {
        let request = Draft::default().ask();
        machine.answers(request, OUTPUT, TOKENS);
        for _ in 0..2 {
            let sent = machine.work();
            let [Call::submit_claim { message, .. }] = &sent[..] else {
                panic!("{sent:?}");
            };
            assert_eq!(*message, claim_message(request));
        }
    });
}

#[test]
fn next_executor_claims_for_its_own_attempt() {
    Machine::with_keys(&ALL, |machine| {
        let request = Draft::default().ask();
        machine.answers(request, OUTPUT, TOKENS);
        assert_ok!(claim(request));
        decide(request, Verdict::Unresolved);
        let sent = machine.work();
        let [Call::submit_claim { message, .. }] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(message.member, executor(request));
        assert_eq!(message.body.attempt, 1);
        assert_ok!(submit(sent[0].clone()));
    });
}

#[test]
fn machine_leaves_the_requests_of_others_alone() {
    Machine::with_keys(&[], |machine| {
        Draft::default().ask();
        assert!(machine.work().is_empty());
        assert!(machine.engine.enqueued().is_empty());
    });
    Machine::with_keys(&[1], |machine| {
        let requests: Vec<_> = (0..OPEN).map(|_| Draft::default().ask()).collect();
        let own = requests.into_iter().filter(|r| executor(*r) == 1).count();
        machine.work();
        assert_eq!(machine.engine.enqueued().len(), own);
    });
}

#[test]
fn failure_is_tried_again_until_the_engine_can() {
    Machine::with_keys(&ALL, |machine| {
        let request = Draft::default().ask();
        machine.engine.refuse(Some(JobFailure::Busy));
        assert!(machine.work().is_empty());
        machine.engine.refuse(None);
        assert!(machine.work().is_empty());
        assert_eq!(machine.engine.enqueued().len(), 1);
        let job = record(request).job;
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        machine.engine.answer(job, failed);
        assert!(machine.work().is_empty());
        machine.answers(request, OUTPUT, TOKENS);
        assert_eq!(machine.work().len(), 1);
    });
}

#[test]
fn nonsense_of_the_engine_is_not_claimed() {
    Machine::with_keys(&ALL, |machine| {
        let request = Draft::default().ask();
        machine.answers(request, b"far too long", 17);
        assert!(machine.work().is_empty());
        machine.answers(request, &[0; 20_000], 4);
        assert!(machine.work().is_empty());
        let job = record(request).job;
        let other = JobStatus::Done(JobResult::Audited { matches: true });
        machine.engine.answer(job, other);
        assert!(machine.work().is_empty());
        let wrong_trace = JobStatus::Done(JobResult::Generated {
            output: OUTPUT.to_vec(),
            tokens: TOKENS,
            trace: trace(b"else", TOKENS),
        });
        machine.engine.answer(job, wrong_trace);
        assert!(machine.work().is_empty());
    });
}
