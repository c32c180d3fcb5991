// SPDX-License-Identifier: Apache-2.0
//! Golden hashes of generations and of a training round: they change with any canonical order, and two versions of a
//! node with different hashes would disagree.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{Engine, EngineConfig, Error, Progress};
use agorai_primitives::{job::*, model::Architecture, training::Recipe};
use common::*;

#[test]
fn generation_has_its_golden_hash() {
    let network = Round::new(Architecture::SMALL, SHORT, 1);
    let spec = network.generate_spec(b"what is said in the agora", LIVELY);
    let JobResult::Generated { trace, .. } = run(&engine(), &network.blobs, JobSpec::Generate(spec)) else {
        panic!()
    };
    assert_eq!(
        [trace.result, trace.root, trace.secret].map(|hash| format!("{hash:?}")),
        [
            "0x3deb1c8159c283144e120ee7dfe65d29e7dc9b9e8c0fb4f8cee25d6faf6b4d4a",
            "0x0f2fb37a06b2945ee5d53608e0bd59f131613d23c98f7168f988c8fe85f9e3b7",
            "0x252bbac4bce9e45a5d6d18956dbfec4f05f777c9495aebbb3389d66934bee6c9"
        ]
    );
}

#[test]
fn round_has_its_golden_hashes() {
    let network = Round::new(TINY, SHORT, 2);
    let contributions = [0, 1].map(|worker| network.train(&engine(), worker));
    let payloads = [0, 1].map(|worker| (worker as u32, contributions[worker].payload));
    let JobResult::Aggregated { weights, trace, .. } = network.aggregate(&engine(), &payloads) else {
        panic!()
    };
    assert_eq!(
        [
            contributions[0].states[1].to_string(),
            contributions[0].payload.to_string(),
            weights.to_string(),
            format!("{:?}", trace.root),
        ],
        [
            "931b8fd08e624200b8aee1e355eb30f70cebee8b3e28d53245edb04f6f268923",
            "2352aa0b4c3ff3a0bd25e45ffc84204db38ead1156221c1881861a6c3befcb05",
            "4ce0b09117d21f78d77e9be45d8679a32511c44afd9b9d7d1f26ca398fbe114c",
            "0xf88f1e3bb3e662100450ae1e4cbd85ad44820d0208ade1a1737beda1b9cb18b1"
        ]
    );
}

#[test]
fn generation_of_64_tokens_has_its_golden_hash() {
    let network = Round::new(Architecture::SMALL, SHORT, 1);
    let sampling = Sampling {
        max_tokens: 64,
        ..LIVELY
    };
    let spec = network.generate_spec(b"many small voices", sampling);
    let JobResult::Generated { tokens, trace, .. } = run(&engine(), &network.blobs, JobSpec::Generate(spec)) else {
        panic!()
    };
    // Including those of the prompt.
    assert_eq!(tokens, 17 + 64);
    assert_eq!(
        [trace.result, trace.root].map(|hash| format!("{hash:?}")),
        [
            "0x3ce5ce3d926170520fb9d1844fdf5ce3751d892938c98f25e9e1c6849b15d958",
            "0xb9ca1b2d0d61a38a824a9f9ca27a76d38f6c6848497b79ac34b1dc1dfb0fd387"
        ]
    );
}

/// Eight steps without checkpointing, and with the least memory of such a job.
#[test]
fn segment_of_8_steps_has_its_golden_hash_with_and_without_checkpointing() {
    let recipe = Recipe {
        inner_steps: 8,
        segment_steps: 8,
        ..SHORT
    };
    let network = Round::new(Architecture::SMALL, recipe, 1);
    let spec = JobSpec::Train(network.train_spec(0));
    let limited = |memory| {
        Engine::new(EngineConfig {
            memory,
            ..EngineConfig::default()
        })
    };
    let Err(Error::Memory { needed, .. }) = limited(1).perform(&spec, &network.blobs, &Progress::new()) else {
        panic!()
    };
    for engine in [engine(), limited(needed)] {
        let JobResult::Trained(contribution) = run(&engine, &network.blobs, spec.clone()) else {
            panic!()
        };
        assert_eq!(
            (
                contribution.states[0].to_string(),
                contribution.loss_first,
                contribution.loss_last
            ),
            (
                "acfb23de6eb565d34894881664417f528a965a9eea8671e6e727c13950c17341".into(),
                5_491_387,
                2_735_402
            )
        );
    }
}
