// SPDX-License-Identifier: Apache-2.0
use super::{poll, run, testing::FakeEngine, ComputeExt};
use agorai_primitives::{
    job::{GenerateSpec, JobFailure, JobResult, JobSpec, JobStatus, Profile, Sampling, MAX_JOB_BYTES},
    model::Architecture,
    receipt::Trace,
    BlobId,
};
use sp_core::H256;
use sp_io::TestExternalities;

fn spec(prompt: Vec<u8>) -> JobSpec {
    JobSpec::Generate(GenerateSpec {
        nonce: 7,
        profile: Profile::ExactF32V1,
        architecture: Architecture::SMALL,
        weights: BlobId::of(b"weights"),
        prompt,
        sampling: Sampling {
            max_tokens: 8,
            temperature_milli: 0,
            top_k: 0,
            top_p_milli: 0,
            seed: 0,
            stop: None,
        },
    })
}

fn generated(output: Vec<u8>) -> JobResult {
    JobResult::Generated {
        output,
        tokens: 9,
        trace: Trace {
            result: H256([1; 32]),
            root: H256([2; 32]),
            secret: H256([3; 32]),
        },
    }
}

fn with_engine(test: impl FnOnce(&FakeEngine)) {
    let engine = FakeEngine::new();
    let mut ext = TestExternalities::default();
    ext.register_extension(ComputeExt::new(engine.clone()));
    ext.execute_with(|| test(&engine));
}

#[test]
fn job_fails_without_an_engine() {
    TestExternalities::default().execute_with(|| {
        let spec = spec(b"who is there?".to_vec());
        assert_eq!(poll(spec.id()), JobStatus::Failed(JobFailure::NoEngine));
        assert_eq!(run(&spec), JobStatus::Failed(JobFailure::NoEngine));
    });
}

#[test]
fn job_is_enqueued_once_and_its_result_arrives_unchanged() {
    with_engine(|engine| {
        let spec = spec(b"1 + 1 =".to_vec());
        assert_eq!(poll(spec.id()), JobStatus::Unknown);
        assert_eq!(run(&spec), JobStatus::Pending);
        assert_eq!(run(&spec), JobStatus::Pending);
        assert_eq!(engine.enqueued(), vec![spec.clone()]);
        let result = generated(b"2".to_vec());
        engine.answer(spec.id(), JobStatus::Done(result.clone()));
        assert_eq!(run(&spec), JobStatus::Done(result));
    });
}

#[test]
fn failed_job_is_reported_and_retried() {
    with_engine(|engine| {
        let spec = spec(b"lost".to_vec());
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        engine.answer(spec.id(), failed.clone());
        assert_eq!(run(&spec), failed);
        assert_eq!(engine.enqueued(), vec![spec]);
    });
}

#[test]
fn error_of_enqueue_is_the_failure_of_the_job() {
    with_engine(|engine| {
        engine.refuse(Some(JobFailure::Busy));
        assert_eq!(run(&spec(vec![])), JobStatus::Failed(JobFailure::Busy));
    });
}

#[test]
fn spec_is_invalid_when_it_is_too_large() {
    with_engine(|engine| {
        let spec = spec(vec![0; MAX_JOB_BYTES as usize]);
        assert_eq!(run(&spec), JobStatus::Failed(JobFailure::Invalid));
        assert!(engine.enqueued().is_empty());
    });
}

#[test]
fn result_is_invalid_when_it_does_not_fit() {
    with_engine(|engine| {
        let spec = spec(vec![]);
        let result = generated(vec![0; MAX_JOB_BYTES as usize]);
        engine.answer(spec.id(), JobStatus::Done(result));
        assert_eq!(poll(spec.id()), JobStatus::Failed(JobFailure::Invalid));
    });
}

#[test]
fn host_function_refuses_bytes_that_do_not_decode() {
    with_engine(|engine| {
        let code = super::interface::compute::enqueue(&[0xff; 40]);
        assert_eq!(super::code::enqueue_result(code), Err(JobFailure::Invalid));
        assert!(engine.enqueued().is_empty());
    });
}
