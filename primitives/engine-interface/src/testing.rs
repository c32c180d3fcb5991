// SPDX-License-Identifier: Apache-2.0
//! An engine whose results a test sets.
//!
//! ```
//! use agorai_engine_interface::{testing::FakeEngine, ComputeExt};
//! use agorai_primitives::job::JobStatus;
//!
//! let engine = FakeEngine::new();
//! // `ext.register_extension(ComputeExt::new(engine.clone()))` in a test's `TestExternalities`.
//! let extension = ComputeExt::new(engine.clone());
//! // The status of enqueued jobs; `Pending` by default.
//! engine.answer_with(|_spec| JobStatus::Pending);
//! assert!(engine.enqueued().is_empty());
//! # drop(extension);
//! ```

use crate::Engine;
use agorai_primitives::{
    job::{JobFailure, JobSpec, JobStatus},
    JobId,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

type Answer = Box<dyn Fn(&JobSpec) -> JobStatus + Send>;

#[derive(Default)]
struct Settings {
    enqueued: Vec<JobSpec>,
    answers: HashMap<JobId, JobStatus>,
    partial: HashMap<JobId, Vec<u8>>,
    answer: Option<Answer>,
    failure: Option<JobFailure>,
}

/// An engine whose results a test sets. It computes nothing: an enqueued job is pending until a test sets its status.
#[derive(Default)]
pub struct FakeEngine(Mutex<Settings>);

impl FakeEngine {
    /// Returns an engine that accepts every job and completes none.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sets the status of a job, enqueued or not.
    pub fn answer(&self, job: JobId, status: JobStatus) {
        self.0.lock().answers.insert(job, status);
    }

    /// Sets a function that returns the status of enqueued jobs, except those set by [`Self::answer`].
    pub fn answer_with(&self, answer: impl Fn(&JobSpec) -> JobStatus + Send + 'static) {
        self.0.lock().answer = Some(Box::new(answer));
    }

    /// Sets the partial output of a job.
    pub fn answer_partial(&self, job: JobId, bytes: Vec<u8>) {
        self.0.lock().partial.insert(job, bytes);
    }

    /// Sets the failure that `enqueue` returns; `None` accepts jobs again.
    pub fn refuse(&self, failure: Option<JobFailure>) {
        self.0.lock().failure = failure;
    }

    /// Returns the accepted jobs, each once, in order.
    pub fn enqueued(&self) -> Vec<JobSpec> {
        self.0.lock().enqueued.clone()
    }
}

impl Engine for FakeEngine {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        let mut settings = self.0.lock();
        if let Some(failure) = settings.failure {
            return Err(failure);
        }
        if !settings.enqueued.contains(&spec) {
            settings.enqueued.push(spec);
        }
        Ok(())
    }

    fn poll(&self, job: JobId) -> JobStatus {
        let settings = self.0.lock();
        if let Some(status) = settings.answers.get(&job) {
            return status.clone();
        }
        match settings.enqueued.iter().find(|spec| spec.id() == job) {
            Some(spec) => settings
                .answer
                .as_ref()
                .map_or(JobStatus::Pending, |answer| answer(spec)),
            None => JobStatus::Unknown,
        }
    }

    fn partial(&self, job: JobId) -> Vec<u8> {
        self.0.lock().partial.get(&job).cloned().unwrap_or_default()
    }
}
