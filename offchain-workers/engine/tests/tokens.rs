// SPDX-License-Identifier: Apache-2.0
//! Jobs of a model with a tokenizer, which is a blob that the weights name.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{BlobAccess, Progress, Weights};
use agorai_primitives::{job::*, model::Architecture};
use common::*;

const WORDS: u32 = 300;

/// A tokenizer of the words `w0` to `w299`, in the format of `tokenizer.json`.
fn tokenizer() -> String {
    let vocab: Vec<String> = (0..WORDS).map(|i| format!("\"w{i}\":{i}")).collect();
    format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{{"type":"WhitespaceSplit"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"w0"}}}}"#,
        vocab.join(",")
    )
}

fn network() -> Round {
    let mut network = Round::new(TINY, SHORT, 1);
    network.architecture = Architecture { vocab: WORDS, ..TINY };
    let mut weights = Weights::init(&network.architecture, 1).unwrap();
    weights.tokenizer = Some(network.blobs.put(tokenizer().as_bytes()).unwrap());
    network.base = network.blobs.put(&weights.to_safetensors()).unwrap();
    network
}

#[test]
fn output_of_a_model_with_a_tokenizer_is_its_tokens_and_is_checked() {
    let network = network();
    let generate = network.generate_spec(b"w7 w8 w299", LIVELY);
    let progress = Progress::new();
    let spec = JobSpec::Generate(generate.clone());
    let result = engine().run(&spec, &network.blobs, &progress);
    let Ok(JobResult::Generated { output, tokens, trace }) = result else {
        panic!("{result:?}")
    };
    assert_eq!((output.len(), tokens), (4 * 20, 3 + 20));
    let text = String::from_utf8(progress.partial().text).unwrap();
    assert_eq!(text.split_whitespace().count(), 20, "{text}");
    let check = |output: &[u8]| {
        let spec = CheckSpec {
            generate: generate.clone(),
            output: output.to_vec(),
        };
        match run(&engine(), &network.blobs, JobSpec::Check(spec)) {
            JobResult::Checked { trace } => trace,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(check(&output), Some(trace));
    assert_eq!(check(&output[1..]), None);
    let mut beyond = output.clone();
    beyond[..4].copy_from_slice(&WORDS.to_le_bytes());
    assert_eq!(check(&beyond), None);
}

#[test]
fn generation_is_refused_when_its_prompt_or_its_tokenizer_is_malformed() {
    let mut network = network();
    let run = |network: &Round, prompt: &[u8]| {
        let spec = JobSpec::Generate(network.generate_spec(prompt, LIVELY));
        engine().run(&spec, &network.blobs, &Progress::new())
    };
    assert_eq!(run(&network, &[0xff, 0xfe]), Err(JobFailure::Invalid));
    let mut weights = network.weights();
    weights.tokenizer = Some(network.blobs.put(b"{}").unwrap());
    network.base = network.blobs.put(&weights.to_safetensors()).unwrap();
    assert_eq!(run(&network, b"w1"), Err(JobFailure::Invalid));
    weights.tokenizer = None;
    network.base = network.blobs.put(&weights.to_safetensors()).unwrap();
    assert_eq!(run(&network, b"w1"), Err(JobFailure::Invalid));
}
