// SPDX-License-Identifier: GPL-3.0-only
//! A worker with the real engine and a store on disk.
#![allow(clippy::unwrap_used)]

#[path = "../examples/faulty-worker/wrong_answers.rs"]
mod wrong_answers;

use agorai_blobs::{Blobs, NoSource, Store, StoreLimits};
use agorai_engine::{EngineConfig, Weights};
use agorai_engine_interface::{testing::FakeEngine, Engine};
use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, JobFailure, JobResult, JobSpec, JobStatus, Profile, Sampling},
    model::Architecture,
    receipt::{output_result, Trace},
    BlobId,
};
use agorai_worker::{EngineRunner, Worker, WorkerConfig};
use sp_core::H256;
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use wrong_answers::WrongAnswers;

const TINY: Architecture = Architecture {
    vocab: 256,
    dim: 16,
    layers: 1,
    heads: 2,
    kv_heads: 2,
    ff: 32,
    context: 64,
    rope_theta: 10_000,
};

fn generate(weights: BlobId) -> GenerateSpec {
    GenerateSpec {
        nonce: 1,
        profile: Profile::ExactF32V1,
        architecture: TINY,
        weights,
        prompt: b"The agora".to_vec(),
        sampling: Sampling {
            max_tokens: 6,
            temperature_milli: 800,
            top_k: 20,
            top_p_milli: 950,
            seed: 7,
            stop: None,
        },
    }
}

fn outcome(engine: &dyn Engine, spec: JobSpec) -> JobStatus {
    let job = spec.id();
    engine.enqueue(spec).unwrap();
    let start = Instant::now();
    loop {
        match engine.poll(job) {
            JobStatus::Pending => assert!(start.elapsed() < Duration::from_secs(60)),
            status => return status,
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn with_worker(test: impl FnOnce(Arc<dyn Engine>, &Store)) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
    let handle = runtime.handle().clone();
    let blobs = Blobs::new(store.clone(), Arc::new(NoSource), handle);
    let runner = EngineRunner::new(EngineConfig::default(), blobs);
    let worker = Worker::start(runner, WorkerConfig::default()).unwrap();
    test(Arc::new(worker), &store);
}

#[test]
fn check_reproduces_the_trace_of_a_right_answer_only() {
    with_worker(|worker, store| {
        let weights = Weights::init(&TINY, 1).unwrap().to_safetensors();
        let spec = generate(store.put(&weights).unwrap());
        let check = |engine: &dyn Engine, output: &[u8]| {
            let check = CheckSpec {
                generate: spec.clone(),
                output: output.to_vec(),
            };
            match outcome(engine, JobSpec::Check(check)) {
                JobStatus::Done(JobResult::Checked { trace }) => trace,
                other => panic!("{other:?}"),
            }
        };
        let answer = |engine: &dyn Engine| match outcome(engine, JobSpec::Generate(spec.clone())) {
            JobStatus::Done(JobResult::Generated { output, trace, .. }) => (output, trace),
            other => panic!("{other:?}"),
        };

        let (output, trace) = answer(worker.as_ref());
        assert!(!output.is_empty());
        assert_eq!(check(worker.as_ref(), &output), Some(trace));

        let faulty = WrongAnswers(worker.clone());
        let (wrong, claimed) = answer(&faulty);
        assert_ne!(wrong, output);
        assert_ne!(check(worker.as_ref(), &wrong), Some(claimed));
    });
}

#[test]
fn job_fails_when_a_blob_is_missing_or_malformed() {
    with_worker(|worker, store| {
        let gone = JobSpec::Generate(generate(BlobId::of(b"gone")));
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        assert_eq!(outcome(worker.as_ref(), gone), failed);
        let nonsense = store.put(b"no weights").unwrap();
        let failed = JobStatus::Failed(JobFailure::Invalid);
        let spec = JobSpec::Generate(generate(nonsense));
        assert_eq!(outcome(worker.as_ref(), spec), failed);
    });
}

#[test]
fn faulty_worker_claims_wrong_answers_with_matching_traces() {
    let honest = FakeEngine::new();
    let faulty = WrongAnswers(honest.clone());
    for right in [&b"42"[..], b""] {
        let spec = JobSpec::Generate(generate(BlobId::of(right)));
        faulty.enqueue(spec.clone()).unwrap();
        let trace = Trace {
            result: output_result(right, 6),
            root: H256([2; 32]),
            secret: H256([3; 32]),
        };
        let output = right.to_vec();
        honest.answer(
            spec.id(),
            JobStatus::Done(JobResult::Generated {
                output,
                tokens: 6,
                trace,
            }),
        );
        let JobStatus::Done(wrong) = faulty.poll(spec.id()) else {
            panic!("no result");
        };
        assert_eq!(faulty.poll(spec.id()), JobStatus::Done(wrong.clone()));
        let JobResult::Generated { output, tokens, trace } = wrong else {
            panic!("not an answer");
        };
        assert_ne!(output, right);
        assert_eq!(trace.result, output_result(&output, tokens));
    }
}

#[test]
fn faulty_worker_leaves_other_results_unchanged() {
    let honest = FakeEngine::new();
    let job = JobSpec::Generate(generate(BlobId::of(b"audited"))).id();
    let audited = JobStatus::Done(JobResult::Audited { matches: true });
    honest.answer(job, audited.clone());
    assert_eq!(WrongAnswers(honest).poll(job), audited);
}
