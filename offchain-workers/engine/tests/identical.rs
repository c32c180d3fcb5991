// SPDX-License-Identifier: Apache-2.0
//! All engines compute the same bits, with any number of threads and any instruction set.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{model::Model, parallel::ComputeConfig, trace::Recorder, Progress, Weights};
use agorai_exact::Isa;
use agorai_primitives::{
    job::*,
    model::Architecture,
    training::{Compression, Contribution, Recipe},
    BlobId,
};
use common::*;

/// The contributions, scores and aggregate of a round, computed by one engine.
fn round(round: &Round, engine: &agorai_engine::Engine) -> (Vec<Contribution>, JobResult, JobResult) {
    let contributions: Vec<_> = (0..4).map(|worker| round.train(engine, worker)).collect();
    for (worker, contribution) in (0..).zip(&contributions) {
        let verdicts = round.audit(engine, worker, contribution);
        assert!(verdicts.iter().all(|matches| *matches), "{verdicts:?}");
    }
    let payloads: Vec<(u32, BlobId)> = (0..).zip(contributions.iter().map(|c| c.payload)).collect();
    let scores = round.score(engine, &payloads);
    let aggregated = round.aggregate(engine, &payloads);
    (contributions, scores, aggregated)
}

fn engines_agree_on_a_round(architecture: Architecture, recipe: Recipe) {
    let network = Round::new(architecture, recipe, 4);
    let mut first = None;
    for (name, engine) in engines() {
        let result = round(&network, &engine);
        match &first {
            None => first = Some(result),
            Some(first) => assert_eq!(*first, result, "{name}"),
        }
    }
    let Some((
        _,
        JobResult::Scored { scores, .. },
        JobResult::Aggregated {
            loss_before,
            loss_after,
            ..
        },
    )) = first
    else {
        panic!("{first:?}")
    };
    assert!(loss_after < loss_before, "{loss_before} -> {loss_after}");
    assert!(
        scores.iter().all(|score| score.held_out > 0 && score.own > 0),
        "{scores:?}"
    );
}

#[test]
fn engines_agree_on_a_round_of_four_workers() {
    engines_agree_on_a_round(TINY, SHORT);
}

#[test]
fn engines_agree_on_a_dense_round() {
    let recipe = Recipe {
        compression: Compression::Dense,
        ..SHORT
    };
    engines_agree_on_a_round(TINY, recipe);
}

#[test]
fn engines_agree_on_a_generation_and_its_check() {
    for architecture in [TINY, Architecture::SMALL] {
        let network = Round::new(architecture, SHORT, 1);
        let generate = network.generate_spec(b"the square", LIVELY);
        let mut first = None;
        for (name, engine) in engines() {
            let spec = JobSpec::Generate(generate.clone());
            let JobResult::Generated { output, tokens, trace } = run(&engine, &network.blobs, spec) else {
                panic!()
            };
            assert_eq!(tokens, 30);
            let check = JobSpec::Check(CheckSpec {
                generate: generate.clone(),
                output: output.clone(),
            });
            let checked = run(&engine, &network.blobs, check);
            assert_eq!(checked, JobResult::Checked { trace: Some(trace) }, "{name}");
            let result = (output, trace);
            match &first {
                None => first = Some(result),
                Some(first) => assert_eq!(*first, result, "{name}"),
            }
        }
    }
}

#[test]
fn check_agrees_with_a_generation_longer_than_one_block_of_rows() {
    let network = Round::new(Architecture::SMALL, SHORT, 1);
    let sampling = Sampling {
        max_tokens: 60,
        ..LIVELY
    };
    let generate = network.generate_spec(&text(150), sampling);
    let engine = engine();
    let spec = JobSpec::Generate(generate.clone());
    let JobResult::Generated { output, trace, .. } = run(&engine, &network.blobs, spec) else {
        panic!()
    };
    let check = JobSpec::Check(CheckSpec { generate, output });
    let progress = Progress::new();
    let checked = engine.run(&check, &network.blobs, &progress);
    assert_eq!(checked, Ok(JobResult::Checked { trace: Some(trace) }));
}

#[test]
fn threads_agree_on_a_model_large_enough_to_use_them() {
    let architecture = Architecture {
        dim: 256,
        heads: 8,
        kv_heads: 4,
        ff: 768,
        layers: 2,
        ..Architecture::SMALL
    };
    let tokens: Vec<u32> = text(256)[..256].iter().map(|b| u32::from(*b)).collect();
    let weights = Weights::init(&architecture, 4).unwrap();
    let read = |threads, batch| {
        let compute = ComputeConfig {
            isa: Isa::detect(),
            threads,
        };
        let model = Model::new(compute, weights.clone()).unwrap();
        let mut session = model.decoder().session(tokens.len()).unwrap();
        let mut recorder = Recorder::default();
        for part in tokens.chunks(batch) {
            session.feed(part, Some(&mut recorder)).unwrap();
        }
        let last = (tokens.len() - 1) % batch;
        let logits = session.logits(last..last + 1).unwrap().to_vec();
        (logits, recorder.finish(Default::default()))
    };
    let one = read(1, 1);
    assert_eq!(one, read(1, 128));
    assert_eq!(one, read(3, 128));
    assert_eq!(one, read(8, 60));
    assert_eq!(one, read(4, 100));
}
