// SPDX-License-Identifier: Apache-2.0
//! Jobs that fail, each with its own error and without panics.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{BlobAccess, Engine, EngineConfig, Error, Progress};
use agorai_primitives::{job::*, model::Architecture, training::Recipe, BlobId, Shard};
use common::*;

fn failure(network: &Round, spec: JobSpec) -> JobFailure {
    match engine().run(&spec, &network.blobs, &Progress::new()) {
        Err(failure) => failure,
        Ok(result) => panic!("{result:?}"),
    }
}

#[test]
fn prompt_is_refused_when_empty_or_too_long() {
    let network = Round::new(TINY, SHORT, 1);
    let too_long = vec![b'a'; MAX_PROMPT as usize + 1];
    for prompt in [&b""[..], &[b'a'; 64], &too_long] {
        let spec = JobSpec::Generate(network.generate_spec(prompt, LIVELY));
        assert_eq!(failure(&network, spec), JobFailure::Invalid);
    }
}

#[test]
fn sampling_is_refused_when_it_asks_for_no_or_too_many_tokens() {
    let network = Round::new(TINY, SHORT, 1);
    for max_tokens in [0, MAX_TOKENS + 1] {
        let sampling = Sampling { max_tokens, ..LIVELY };
        let spec = JobSpec::Generate(network.generate_spec(b"a", sampling));
        assert_eq!(failure(&network, spec), JobFailure::Invalid);
    }
}

#[test]
fn generation_ends_at_the_end_of_the_context() {
    let network = Round::new(TINY, SHORT, 1);
    let spec = network.generate_spec(&[b'a'; 60], LIVELY);
    match run(&engine(), &network.blobs, JobSpec::Generate(spec)) {
        JobResult::Generated { output, tokens, .. } => assert_eq!((output.len(), tokens), (4, 64)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn job_is_refused_when_architecture_or_recipe_is_invalid() {
    let network = Round::new(TINY, SHORT, 1);
    let mut generate = network.generate_spec(b"a", LIVELY);
    generate.architecture.heads = 0;
    let spec = JobSpec::Generate(generate.clone());
    assert_eq!(failure(&network, spec), JobFailure::Invalid);
    // Weights of another architecture.
    generate.architecture = Architecture::SMALL;
    assert_eq!(failure(&network, JobSpec::Generate(generate)), JobFailure::Invalid);
    let bad_recipes = [
        Recipe { batch: 0, ..SHORT },
        Recipe { sequence: 65, ..SHORT },
        Recipe {
            segment_steps: 3,
            ..SHORT
        },
        Recipe {
            rate_micros: 0,
            ..SHORT
        },
    ];
    for recipe in bad_recipes {
        let train = TrainSpec {
            recipe,
            ..network.train_spec(0)
        };
        assert_eq!(failure(&network, JobSpec::Train(train)), JobFailure::Invalid);
    }
    let train = TrainSpec {
        worker: 1,
        ..network.train_spec(0)
    };
    assert_eq!(failure(&network, JobSpec::Train(train)), JobFailure::Invalid);
}

#[test]
fn job_is_refused_when_it_needs_more_memory_than_is_allowed() {
    let network = Round::new(TINY, SHORT, 1);
    let engine = Engine::new(EngineConfig {
        memory: 1 << 20,
        ..EngineConfig::default()
    });
    let spec = JobSpec::Train(network.train_spec(0));
    let result = engine.perform(&spec, &network.blobs, &Progress::new());
    assert!(matches!(result, Err(Error::Memory { .. })), "{result:?}");
    assert_eq!(
        engine.run(&spec, &network.blobs, &Progress::new()),
        Err(JobFailure::Invalid)
    );
}

#[test]
fn job_fails_with_blob_unavailable_when_a_blob_is_missing() {
    let network = Round::new(TINY, SHORT, 1);
    network.blobs.delete(&network.corpus.shards[0].blob).unwrap();
    let spec = JobSpec::Train(network.train_spec(0));
    assert_eq!(failure(&network, spec), JobFailure::BlobUnavailable);
    network.blobs.delete(&network.base).unwrap();
    let spec = JobSpec::Generate(network.generate_spec(b"a", LIVELY));
    assert_eq!(failure(&network, spec), JobFailure::BlobUnavailable);
}

#[test]
fn job_is_refused_when_a_shard_has_another_length_than_its_blob() {
    let mut network = Round::new(TINY, SHORT, 1);
    for shard in &mut network.corpus.shards {
        shard.bytes += 1;
    }
    let spec = JobSpec::Train(network.train_spec(0));
    assert_eq!(failure(&network, spec), JobFailure::Invalid);
    network.corpus.shards = vec![Shard {
        blob: BlobId::of(b"x"),
        bytes: 1,
    }];
    let spec = JobSpec::Train(network.train_spec(0));
    assert_eq!(failure(&network, spec), JobFailure::Invalid);
}

#[test]
fn blob_is_unavailable_when_the_stored_copy_is_damaged() {
    struct Damaged<'a>(&'a dyn BlobAccess);
    impl BlobAccess for Damaged<'_> {
        fn get(&self, id: &BlobId) -> Result<Vec<u8>, agorai_engine::Missing> {
            let mut bytes = self.0.get(id)?;
            bytes[100] ^= 1;
            Ok(bytes)
        }
        fn put(&self, bytes: &[u8]) -> std::io::Result<BlobId> {
            self.0.put(bytes)
        }
        fn delete(&self, id: &BlobId) -> std::io::Result<()> {
            self.0.delete(id)
        }
    }
    let network = Round::new(TINY, SHORT, 1);
    let spec = JobSpec::Generate(network.generate_spec(b"a", LIVELY));
    let result = engine().run(&spec, &Damaged(&network.blobs), &Progress::new());
    assert_eq!(result, Err(JobFailure::BlobUnavailable));
}

#[test]
fn cancelled_training_stops() {
    let network = Round::new(
        Architecture::SMALL,
        Recipe {
            inner_steps: 1_000,
            segment_steps: 20,
            ..SHORT
        },
        1,
    );
    let progress = Progress::new();
    std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            let spec = JobSpec::Train(network.train_spec(0));
            engine().run(&spec, &network.blobs, &progress)
        });
        while progress.steps().0 < 2 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        progress.cancel();
        assert_eq!(job.join().unwrap(), Err(JobFailure::Interrupted));
    });
    assert!(progress.steps().0 < 1_000);
}

#[test]
fn generation_streams_its_output() {
    let network = Round::new(TINY, SHORT, 1);
    let progress = Progress::new();
    let spec = JobSpec::Generate(network.generate_spec(b"agora", LIVELY));
    match engine().run(&spec, &network.blobs, &progress) {
        Ok(JobResult::Generated { output, .. }) => {
            assert_eq!(progress.partial().output, output);
            assert_eq!(progress.partial().text, output);
            assert_eq!(progress.steps(), (20, 20));
        }
        other => panic!("{other:?}"),
    }
}
