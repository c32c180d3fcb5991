// SPDX-License-Identifier: Apache-2.0
//! Training, generation and check with the demonstration's model, and the cost of the trace, on one thread.
#![allow(missing_docs)] // of the functions that `criterion_group!` defines

use agorai_engine::{
    data::Example,
    decoder::MAX_BATCH_TOKENS,
    model::Model,
    parallel::ComputeConfig,
    trace::Recorder,
    train::{State, Trainer},
    BlobAccess, Engine, EngineConfig, MemoryBlobs, Progress, Weights,
};
use agorai_exact::Isa;
use agorai_primitives::{job::*, model::Architecture};
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};

/// Number of tokens of the prompt, and of the answer.
const TOKENS: u32 = 128;

fn compute() -> ComputeConfig {
    ComputeConfig {
        isa: Isa::detect(),
        threads: 1,
    }
}

fn weights() -> Weights {
    Weights::init(&Architecture::SMALL, 1).expect("a valid architecture")
}

/// One inner step with several batch sizes and sequence lengths.
fn training(c: &mut Criterion) {
    let weights = weights();
    let mut group = c.benchmark_group("train");
    for (batch, sequence) in [(4, 64), (4, 128), (8, 256)] {
        let state = State::start(weights.values.clone());
        let mut trainer = Trainer::new(compute(), &weights.architecture, &weights.layout, state)
            .expect("the state is one of this architecture");
        let tokens = |seed: usize| (0..sequence).map(|i| ((i * i + seed) % 256) as u32).collect();
        let example = |seed: usize| Example {
            tokens: tokens(seed),
            targets: tokens(seed + 1),
        };
        let examples: Vec<_> = (0..batch).map(example).collect();
        group.throughput(Throughput::Elements((batch * sequence) as u64));
        group.bench_function(format!("{batch}x{sequence}"), |b| {
            b.iter(|| trainer.step(&examples, 1e-3).expect("the examples are valid"));
        });
    }
    group.finish();
}

/// The forward pass of 256 tokens in batches, with and without the trace.
fn prefill(c: &mut Criterion) {
    let model = Model::new(compute(), weights()).expect("a valid architecture");
    let mut group = c.benchmark_group("prefill");
    group.throughput(Throughput::Elements(256));
    for batch in [1, MAX_BATCH_TOKENS] {
        for trace in [false, true] {
            let name = if trace { "traced" } else { "untraced" };
            group.bench_function(BenchmarkId::new(name, batch), |b| {
                b.iter(|| {
                    let mut recorder = trace.then(Recorder::default);
                    let mut session = model.decoder().session(256).expect("256 is the context");
                    for part in [97; 256].chunks(batch) {
                        session.feed(part, recorder.as_mut()).expect("the session has room");
                    }
                    recorder.map(|recorder| recorder.finish(Default::default()))
                });
            });
        }
    }
    group.finish();
}

/// The jobs of generating and of checking an answer.
fn jobs(c: &mut Criterion) {
    let blobs = MemoryBlobs::default();
    let weights = weights();
    let engine = Engine::new(EngineConfig::default());
    let generate = GenerateSpec {
        nonce: 0,
        profile: Profile::ExactF32V1,
        architecture: weights.architecture,
        weights: blobs.put(&weights.to_safetensors()).expect("memory"),
        prompt: vec![b'a'; TOKENS as usize],
        sampling: Sampling {
            max_tokens: TOKENS,
            temperature_milli: 1_000,
            top_k: 0,
            top_p_milli: 0,
            seed: 1,
            stop: None,
        },
    };
    let run = |spec: &JobSpec| engine.run(spec, &blobs, &Progress::new()).expect("a valid job");
    let spec = JobSpec::Generate(generate.clone());
    let JobResult::Generated { output, .. } = run(&spec) else {
        unreachable!("the result of a generation")
    };
    let mut group = c.benchmark_group("job");
    group.throughput(Throughput::Elements(TOKENS.into()));
    group.bench_function("generate", |b| b.iter(|| run(&spec)));
    let spec = JobSpec::Check(CheckSpec { generate, output });
    group.bench_function("check", |b| b.iter(|| run(&spec)));
    group.finish();
}

criterion_group!(benches, training, prefill, jobs);
criterion_main!(benches);
