// SPDX-License-Identifier: GPL-3.0-only
//! A validator that cheats, for tests of a network: the node's hidden flag `--test-fault`.
//!
//! The faulty engine computes as any other and then claims another output, with a trace that fits
//! itself but not the computation: what a cheat would send. Only generations are altered: as a checker
//! the node is honest.

use agorai_blobs::serve::BlobFault;
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    receipt::{output_result, Trace},
    JobId,
};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use std::sync::Arc;

/// The values of `--test-fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TestFault {
    /// Claim a wrong answer for every generation.
    WrongAnswer,
    /// Flip a byte in every blob chunk that is served.
    CorruptBlobs,
}

impl TestFault {
    /// What it makes of the engine.
    pub fn of_engine(fault: Option<Self>) -> Fault {
        match fault {
            Some(TestFault::WrongAnswer) => Fault::WrongAnswer,
            _ => Fault::None,
        }
    }

    /// What it makes of the blob server.
    pub fn of_blobs(fault: Option<Self>) -> BlobFault {
        match fault {
            Some(TestFault::CorruptBlobs) => BlobFault::CorruptChunks,
            _ => BlobFault::None,
        }
    }
}

/// What is wrong with an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It claims a wrong answer for every generation.
    WrongAnswer,
}

impl Fault {
    /// The engine with this fault.
    pub fn in_engine(self, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        match self {
            Fault::None => engine,
            Fault::WrongAnswer => {
                log::error!(target: "compute", "TEST FAULT: this node claims wrong answers");
                Arc::new(WrongAnswer(engine))
            }
        }
    }
}

struct WrongAnswer(Arc<dyn Engine>);

impl Engine for WrongAnswer {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        self.0.enqueue(spec)
    }

    fn poll(&self, job: JobId) -> JobStatus {
        match self.0.poll(job) {
            JobStatus::Done(JobResult::Generated { output, tokens, trace }) => {
                JobStatus::Done(spoil(output, tokens, trace))
            }
            other => other,
        }
    }

    fn partial(&self, job: JobId) -> Vec<u8> {
        self.0.partial(job)
    }
}

fn spoil(mut output: Vec<u8>, tokens: u32, trace: Trace) -> JobResult {
    match output.last_mut() {
        // Letters become other letters, so that the answer looks like one.
        Some(last) => *last ^= 1,
        None => output.push(b'?'),
    }
    let other = |hash: H256| H256::from(blake2_256(hash.as_bytes()));
    let trace = Trace {
        result: output_result(&output, tokens),
        root: other(trace.root),
        secret: other(trace.secret),
    };
    JobResult::Generated { output, tokens, trace }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{audited, generate, generated};
    use agorai_engine_interface::testing::FakeEngine;

    #[test]
    fn wrong_answer_differs_and_fits_its_own_trace() {
        let honest = FakeEngine::new();
        let faulty = Fault::WrongAnswer.in_engine(honest.clone());
        for right in [&b"42"[..], b""] {
            let spec = generate(right.len() as u64);
            faulty.enqueue(spec.clone()).unwrap();
            honest.answer(spec.id(), JobStatus::Done(generated(right)));
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
    fn everything_else_is_left_alone() {
        let honest = FakeEngine::new();
        let job = generate(1).id();
        honest.answer(job, JobStatus::Done(audited()));
        let faulty = Fault::WrongAnswer.in_engine(honest.clone());
        assert_eq!(faulty.poll(job), JobStatus::Done(audited()));
        honest.answer(job, JobStatus::Done(generated(b"42")));
        let sound = Fault::None.in_engine(honest);
        assert_eq!(sound.poll(job), JobStatus::Done(generated(b"42")));
    }
}
