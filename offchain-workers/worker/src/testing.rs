// SPDX-License-Identifier: GPL-3.0-only
//! Job specs, results and a scripted runner for tests.

use crate::runner::{JobProgress, JobRunner};
use agorai_primitives::{
    job::{GenerateSpec, JobFailure, JobResult, JobSpec, Profile, Sampling, TrainSpec},
    model::Architecture,
    receipt::{output_result, Trace},
    training::{Corpus, Recipe},
    BlobId,
};
use parking_lot::Mutex;
use sp_core::H256;
use std::{
    collections::VecDeque,
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

pub fn generate(nonce: u64) -> JobSpec {
    JobSpec::Generate(GenerateSpec {
        nonce,
        profile: Profile::ExactF32V1,
        architecture: Architecture::SMALL,
        weights: BlobId::of(b"weights"),
        prompt: b"Once".to_vec(),
        sampling: Sampling {
            max_tokens: 4,
            temperature_milli: 0,
            top_k: 0,
            top_p_milli: 0,
            seed: 0,
            stop: None,
        },
    })
}

pub fn train(worker: u32) -> JobSpec {
    JobSpec::Train(TrainSpec {
        profile: Profile::ExactF32V1,
        architecture: Architecture::SMALL,
        base: BlobId::of(b"weights"),
        recipe: Recipe::SMALL,
        corpus: Corpus::default(),
        seed: H256::zero(),
        steps_before: 0,
        steps_total: 16,
        worker,
        workers: 2,
        error_feedback: None,
    })
}

pub fn generated(output: &[u8]) -> JobResult {
    JobResult::Generated {
        output: output.to_vec(),
        tokens: 6,
        trace: Trace {
            result: output_result(output, 6),
            root: H256([2; 32]),
            secret: H256([3; 32]),
        },
    }
}

pub fn audited() -> JobResult {
    JobResult::Audited { matches: true }
}

/// Waits until the condition holds, at most 20 seconds.
pub fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the condition does not hold after 20 seconds"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// The progress of a job without provisional output.
pub struct NoProgress;

impl JobProgress for NoProgress {
    fn partial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn cancel(&self) {}
}

enum Command {
    Finish(Result<JobResult, JobFailure>),
    Panic,
}

/// Controls the running jobs of a [`ScriptedRunner`]. Each command ends one job.
#[derive(Default)]
pub struct Script {
    started: Mutex<usize>,
    cancelled: AtomicBool,
    partial: Mutex<Vec<u8>>,
    commands: Mutex<VecDeque<Command>>,
}

impl Script {
    pub fn started(&self) -> usize {
        *self.started.lock()
    }

    pub fn cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    pub fn set_partial(&self, bytes: &[u8]) {
        *self.partial.lock() = bytes.to_vec();
    }

    pub fn finish(&self, outcome: Result<JobResult, JobFailure>) {
        self.commands.lock().push_back(Command::Finish(outcome));
    }

    pub fn panic(&self) {
        self.commands.lock().push_back(Command::Panic);
    }
}

pub struct ScriptedRunner(pub Arc<Script>);

#[derive(Default)]
pub struct ScriptedProgress {
    partial: Mutex<Vec<u8>>,
    cancelled: AtomicBool,
}

impl JobProgress for ScriptedProgress {
    fn partial(&self) -> Vec<u8> {
        self.partial.lock().clone()
    }

    fn cancel(&self) {
        self.cancelled.store(true, SeqCst);
    }
}

impl JobRunner for ScriptedRunner {
    type Progress = ScriptedProgress;

    fn run(&self, _: &JobSpec, progress: &ScriptedProgress) -> Result<JobResult, JobFailure> {
        *self.0.started.lock() += 1;
        loop {
            if progress.cancelled.load(SeqCst) {
                self.0.cancelled.store(true, SeqCst);
                return Err(JobFailure::Interrupted);
            }
            *progress.partial.lock() = self.0.partial.lock().clone();
            let command = self.0.commands.lock().pop_front();
            match command {
                Some(Command::Finish(outcome)) => return outcome,
                Some(Command::Panic) => panic!("commanded by the test"),
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}
