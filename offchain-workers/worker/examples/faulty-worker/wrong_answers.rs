// SPDX-License-Identifier: GPL-3.0-only
//! An engine that claims wrong answers.
//!
//! It computes as the wrapped engine does, and reports for every generation another output with a trace that fits this
//! output but not the computation. All other jobs are left unchanged: as a checker the validator is honest.

use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    receipt::{output_result, Trace},
    JobId,
};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use std::sync::Arc;

/// Wraps an engine and changes the result of every generation.
pub struct WrongAnswers(pub Arc<dyn Engine>);

impl Engine for WrongAnswers {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        self.0.enqueue(spec)
    }

    fn poll(&self, job: JobId) -> JobStatus {
        match self.0.poll(job) {
            JobStatus::Done(JobResult::Generated { output, tokens, trace }) => {
                JobStatus::Done(falsify(output, tokens, trace))
            }
            other => other,
        }
    }

    fn partial(&self, job: JobId) -> Vec<u8> {
        self.0.partial(job)
    }
}

fn falsify(mut output: Vec<u8>, tokens: u32, trace: Trace) -> JobResult {
    match output.last_mut() {
        // Flipping the lowest bit turns a letter into another letter, so that the answer looks plausible.
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
