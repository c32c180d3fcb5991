// SPDX-License-Identifier: Apache-2.0
//! The offchain worker with a mock engine.

use crate::{mock::*, request::RequestStatus, Call};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    traits::Verdict,
};
use frame_support::{assert_ok, traits::OffchainWorker};

/// A validator's node.
struct Validator {
    node: TestNode,
}

impl Validator {
    /// Runs `test` on a chain of four members, with a node that holds the keys of `local`.
    fn run_test(local: &[AccountId], test: impl FnOnce(Validator)) {
        let mut ext = new_test_ext(4);
        let node = TestNode::new(&mut ext, local);
        ext.execute_with(|| {
            test(Validator { node });
            Inference::do_try_state().unwrap();
        });
    }

    /// The calls that one run of the offchain worker submits.
    fn work(&self) -> Vec<Call<Test>> {
        Inference::offchain_worker(System::block_number());
        let calls = self.node.take_calls::<RuntimeCall, Test>().into_iter();
        calls
            .map(|call| match call {
                RuntimeCall::Inference(call) => call,
                other => panic!("a call of another pallet: {other:?}"),
            })
            .collect()
    }

    /// Sets the engine's result of the job of `request`.
    fn set_answer(&self, request: u64, output: &[u8], tokens: u32) {
        let result = JobResult::Generated {
            output: output.to_vec(),
            tokens,
            trace: trace(output, tokens),
        };
        let job = record(request).job;
        self.node.engine.answer(job, JobStatus::Done(result));
    }
}

const ALL: [AccountId; 4] = [1, 2, 3, 4];

#[test]
fn executor_claims_the_answer_of_its_engine() {
    Validator::run_test(&ALL, |validator| {
        let request = request();
        // The worker enqueues the job once, and the engine has not finished it.
        assert!(validator.work().is_empty());
        assert!(validator.work().is_empty());
        let spec = JobSpec::Generate(record(request).generate_spec(request));
        assert_eq!(validator.node.engine.enqueued(), [spec]);
        validator.set_answer(request, OUTPUT, TOKENS);
        let sent = validator.work();
        assert_eq!(sent.len(), 1);
        for call in sent {
            assert_ok!(submit(call));
        }
        assert!(matches!(record(request).status, RequestStatus::Claimed { .. }));
        assert!(validator.work().is_empty());
    });
}

#[test]
fn lost_claim_is_submitted_again() {
    Validator::run_test(&ALL, |validator| {
        let request = request();
        validator.set_answer(request, OUTPUT, TOKENS);
        for _ in 0..2 {
            let sent = validator.work();
            let [Call::submit_claim { message, .. }] = &sent[..] else {
                panic!("{sent:?}");
            };
            assert_eq!(*message, claim_message(request));
        }
    });
}

#[test]
fn next_executor_claims_for_its_own_attempt() {
    Validator::run_test(&ALL, |validator| {
        let request = request();
        validator.set_answer(request, OUTPUT, TOKENS);
        assert_ok!(claim(request));
        decide(request, Verdict::Unresolved);
        let sent = validator.work();
        let [Call::submit_claim { message, .. }] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(message.member, executor(request));
        assert_eq!(message.body.attempt, 1);
        assert_ok!(submit(sent[0].clone()));
    });
}

#[test]
fn node_ignores_the_requests_of_other_executors() {
    Validator::run_test(&[], |validator| {
        request();
        assert!(validator.work().is_empty());
        assert!(validator.node.engine.enqueued().is_empty());
    });
    Validator::run_test(&[1], |validator| {
        let requests: Vec<_> = (0..MAX_OPEN_REQUESTS).map(|_| request()).collect();
        let own = requests.into_iter().filter(|r| executor(*r) == 1).count();
        validator.work();
        assert_eq!(validator.node.engine.enqueued().len(), own);
    });
}

#[test]
fn failed_job_is_enqueued_again() {
    Validator::run_test(&ALL, |validator| {
        let request = request();
        validator.node.engine.refuse(Some(JobFailure::Busy));
        assert!(validator.work().is_empty());
        validator.node.engine.refuse(None);
        assert!(validator.work().is_empty());
        assert_eq!(validator.node.engine.enqueued().len(), 1);
        let job = record(request).job;
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        validator.node.engine.answer(job, failed);
        assert!(validator.work().is_empty());
        validator.set_answer(request, OUTPUT, TOKENS);
        assert_eq!(validator.work().len(), 1);
    });
}

#[test]
fn invalid_result_of_the_engine_is_not_claimed() {
    Validator::run_test(&ALL, |validator| {
        let request = request();
        validator.set_answer(request, b"far too long", 17);
        assert!(validator.work().is_empty());
        validator.set_answer(request, &[0; 20_000], 4);
        assert!(validator.work().is_empty());
        let job = record(request).job;
        let other_kind = JobStatus::Done(JobResult::Audited { matches: true });
        validator.node.engine.answer(job, other_kind);
        assert!(validator.work().is_empty());
        let wrong_trace = JobStatus::Done(JobResult::Generated {
            output: OUTPUT.to_vec(),
            tokens: TOKENS,
            trace: trace(b"else", TOKENS),
        });
        validator.node.engine.answer(job, wrong_trace);
        assert!(validator.work().is_empty());
    });
}
