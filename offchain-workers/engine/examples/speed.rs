// SPDX-License-Identifier: Apache-2.0
//! How fast this machine trains, generates and checks with the demonstration's model.
//!
//! `cargo run --release -p agorai-engine --example speed -- [threads]`

use agorai_engine::{
    data::Example,
    model::Model,
    parallel::ComputeConfig,
    trace::Recorder,
    train::{State, Trainer},
    BlobAccess, Engine, EngineConfig, MemoryBlobs, Progress, Weights,
};
use agorai_exact::Isa;
use agorai_primitives::{job::*, model::Architecture};
use std::time::Instant;

fn main() {
    let threads = std::env::args()
        .nth(1)
        .and_then(|threads| threads.parse().ok())
        .unwrap_or(1);
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads,
    };
    println!("{:?}, {threads} thread(s)", compute.isa);
    let architecture = Architecture::SMALL;
    let weights = Weights::init(&architecture, 1).expect("a valid architecture");
    for (batch, sequence) in [(4, 64), (4, 128), (8, 256)] {
        let state = State::start(weights.values.clone());
        let mut trainer =
            Trainer::new(compute, &architecture, &weights.layout, state).expect("a state of this architecture");
        let example = |seed: usize| Example {
            tokens: (0..sequence).map(|i| ((i * i + seed) % 256) as u32).collect(),
            targets: (0..sequence).map(|i| ((i * i + seed + 1) % 256) as u32).collect(),
        };
        let examples: Vec<_> = (0..batch).map(example).collect();
        trainer.step(&examples, 1e-3).expect("a step");
        let (started, steps) = (Instant::now(), 20);
        for _ in 0..steps {
            trainer.step(&examples, 1e-3).expect("a step");
        }
        let seconds = started.elapsed().as_secs_f64() / f64::from(steps);
        let tokens = (batch * sequence) as f64;
        println!(
            "train {batch}x{sequence}: {:.1} ms a step, {:.0} tokens/s",
            1e3 * seconds,
            tokens / seconds
        );
    }
    generation(&weights, threads);
    trace(compute, weights);
}

/// What the trace costs: the same tokens with and without it.
fn trace(compute: ComputeConfig, weights: Weights) {
    let model = Model::new(compute, weights).expect("a valid architecture");
    let feed = |together: usize, mut recorder: Option<Recorder>| {
        let started = Instant::now();
        for _ in 0..5 {
            let mut session = model.decoder().session(256).expect("a session");
            for part in [97; 256].chunks(together) {
                session.feed(part, recorder.as_mut()).expect("a feed");
            }
        }
        if let Some(recorder) = recorder {
            recorder.finish(Default::default());
        }
        started.elapsed().as_secs_f64()
    };
    for together in [1, 128] {
        feed(together, None);
        let (without, with) = (feed(together, None), feed(together, Some(Recorder::default())));
        println!(
            "read 256 tokens by {together}: {:.0} tokens/s, the trace takes {:.1} % more",
            5.0 * 256.0 / with,
            100.0 * (with / without - 1.0)
        );
    }
}

fn generation(weights: &Weights, threads: usize) {
    let blobs = MemoryBlobs::default();
    let id = blobs.put(&weights.to_safetensors()).expect("memory");
    let engine = Engine::new(EngineConfig {
        threads,
        ..EngineConfig::default()
    });
    let generate = GenerateSpec {
        nonce: 0,
        profile: Profile::ExactF32V1,
        architecture: weights.architecture,
        weights: id,
        prompt: vec![b'a'; 128],
        sampling: Sampling {
            max_tokens: 128,
            temperature_milli: 1_000,
            top_k: 0,
            top_p_milli: 0,
            seed: 1,
            stop: None,
        },
    };
    let mut output = Vec::new();
    // The first run loads the model.
    for run in 0..2 {
        let started = Instant::now();
        let spec = JobSpec::Generate(generate.clone());
        let result = engine.run(&spec, &blobs, &Progress::new());
        let Ok(JobResult::Generated { output: made, .. }) = result else {
            panic!("{result:?}")
        };
        output = made;
        let seconds = started.elapsed().as_secs_f64();
        println!("generate 128 tokens after 128 ({run}): {:.0} tokens/s", 128.0 / seconds);
    }
    let started = Instant::now();
    let spec = JobSpec::Check(CheckSpec { generate, output });
    let result = engine.run(&spec, &blobs, &Progress::new());
    assert!(matches!(result, Ok(JobResult::Checked { trace: Some(_) })));
    let seconds = started.elapsed().as_secs_f64();
    println!("check them: {:.0} tokens/s", 128.0 / seconds);
}
