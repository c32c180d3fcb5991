// SPDX-License-Identifier: Apache-2.0
//! Checks and audits detect wrong answers and contributions.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{score::MIN_GAIN, train::State, BlobAccess, Progress};
use agorai_primitives::{job::*, training::Contribution};
use common::*;

fn answer(network: &Round, sampling: Sampling) -> (GenerateSpec, Vec<u8>) {
    let spec = network.generate_spec(b"many small", sampling);
    match run(&engine(), &network.blobs, JobSpec::Generate(spec.clone())) {
        JobResult::Generated { output, .. } => (spec, output),
        other => panic!("{other:?}"),
    }
}

fn checked(network: &Round, generate: &GenerateSpec, output: &[u8]) -> bool {
    let spec = CheckSpec {
        generate: generate.clone(),
        output: output.to_vec(),
    };
    match run(&engine(), &network.blobs, JobSpec::Check(spec)) {
        JobResult::Checked { trace } => trace.is_some(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn output_is_refused_when_any_byte_of_it_is_changed() {
    let network = Round::new(TINY, SHORT, 1);
    let (spec, output) = answer(&network, LIVELY);
    assert!(checked(&network, &spec, &output));
    for at in 0..output.len() {
        let mut changed = output.clone();
        changed[at] ^= 1;
        assert!(!checked(&network, &spec, &changed), "byte {at}");
    }
}

#[test]
fn output_is_refused_when_it_ends_too_early_or_too_late() {
    let network = Round::new(TINY, SHORT, 1);
    let (spec, output) = answer(&network, LIVELY);
    assert!(!checked(&network, &spec, &output[..output.len() - 1]));
    assert!(!checked(&network, &spec, &[&output[..], b"!"].concat()));
    assert!(!checked(&network, &spec, b""));
    assert!(!checked(&network, &spec, &[b'a'; 20_000]));
}

#[test]
fn output_ends_with_the_stop_token() {
    let network = Round::new(TINY, SHORT, 1);
    let (_, output) = answer(&network, LIVELY);
    let stop = u32::from(output[7]);
    let sampling = Sampling {
        stop: Some(stop),
        ..LIVELY
    };
    let (spec, stopped) = answer(&network, sampling);
    let end = output.iter().position(|byte| u32::from(*byte) == stop).unwrap();
    assert_eq!(stopped, output[..=end]);
    assert!(checked(&network, &spec, &stopped));
    assert!(!checked(&network, &spec, &output));
}

fn contribution(network: &Round) -> Contribution {
    network.train(&engine(), 0)
}

#[test]
fn audit_detects_the_segment_with_a_forged_state() {
    let network = Round::new(TINY, SHORT, 2);
    let honest = contribution(&network);
    let bytes = network.blobs.get(&honest.states[0]).unwrap();
    let mut state = State::from_bytes(network.weights().values.len(), 2, &bytes).unwrap();
    state.values[5] += 1e-3;
    let mut forged = honest.clone();
    forged.states[0] = network.blobs.put(&state.to_bytes()).unwrap();
    // The first segment does not end in the forged state, and from it the second one ends in another state.
    assert_eq!(network.audit(&engine(), 0, &forged), [false, false]);
    let mut last = honest;
    // The audit of every segment compares the payload with the end state.
    last.states[1] = network.blobs.put(b"no state").unwrap();
    assert_eq!(network.audit(&engine(), 0, &last), [false, false]);
}

#[test]
fn audit_detects_forged_payloads_feedback_losses_and_malformed_states() {
    let network = Round::new(TINY, SHORT, 2);
    let honest = contribution(&network);
    assert_eq!(network.audit(&engine(), 0, &honest), [true, true]);
    let audit = |change: &dyn Fn(&mut Contribution)| {
        let mut forged = honest.clone();
        change(&mut forged);
        network.audit(&engine(), 0, &forged)
    };
    let junk = network.blobs.put(b"junk").unwrap();
    assert_eq!(audit(&|c| c.payload = junk), [false, false]);
    assert_eq!(audit(&|c| c.payload_bytes += 1), [false, false]);
    assert_eq!(audit(&|c| c.error_feedback = junk), [false, false]);
    assert_eq!(audit(&|c| c.loss_last -= 1), [true, false]);
    assert_eq!(audit(&|c| c.loss_first += 1), [false, true]);
    assert_eq!(audit(&|c| c.states[0] = junk), [false, false]);
    assert_eq!(audit(&|c| c.states.truncate(1)), [false, false]);
    // A contribution is not valid for another worker.
    assert_eq!(network.audit(&engine(), 1, &honest), [false, false]);
}

#[test]
fn audit_fails_without_verdict_when_a_state_is_missing() {
    let network = Round::new(TINY, SHORT, 2);
    let honest = contribution(&network);
    network.blobs.delete(&honest.states[0]).unwrap();
    let spec = JobSpec::Audit(AuditSpec {
        train: network.train_spec(0),
        contribution: honest,
        segment: 1,
    });
    let result = engine().run(&spec, &network.blobs, &Progress::new());
    assert_eq!(result, Err(JobFailure::BlobUnavailable));
}

#[test]
fn contribution_gains_nothing_when_it_is_harmful_or_malformed() {
    let network = Round::new(TINY, SHORT, 3);
    let honest = network.train(&engine(), 0).payload;
    let mut loud = network.blobs.get(&network.train(&engine(), 1).payload).unwrap();
    // The table of the first chunk: large changes of the embedding.
    for entry in 0..4 {
        let at = 18 + 4 * entry;
        let value = f32::from_le_bytes(loud[at..at + 4].try_into().unwrap());
        loud[at..at + 4].copy_from_slice(&(value * -1e4).to_le_bytes());
    }
    let loud = network.blobs.put(&loud).unwrap();
    let junk = network.blobs.put(b"junk").unwrap();
    let payloads = [(0, honest), (1, loud), (2, junk)];
    let JobResult::Scored { scores, .. } = network.score(&engine(), &payloads) else {
        panic!()
    };
    assert!(scores[0].held_out > 0 && scores[0].own > 0, "{scores:?}");
    assert!(scores[1].held_out < 0 && scores[1].own < 0, "{scores:?}");
    assert_eq!((scores[2].held_out, scores[2].own), (MIN_GAIN, MIN_GAIN));
}
