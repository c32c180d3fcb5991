// SPDX-License-Identifier: Apache-2.0
//! Progress, provisional output and cancellation of a job.

use crate::error::{Error, Result};
use std::sync::{
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    Mutex, MutexGuard, PoisonError,
};

/// The provisional output of a running generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// The output so far, in the encoding of the final output.
    pub output: Vec<u8>,
    /// The output so far as text, UTF-8 unless a byte-level model generates other bytes.
    pub text: Vec<u8>,
}

/// The progress of a job, shared between the thread that executes it and those that observe it.
#[derive(Debug, Default)]
pub struct Progress {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
    partial: Mutex<Partial>,
}

impl Progress {
    /// Returns the progress of a job that has not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels the job: it ends before its next step.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Returns the completed and the total number of steps: tokens of a generation, inner steps of a training,
    /// sequences of a score.
    pub fn steps(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }

    /// Returns the provisional output.
    pub fn partial(&self) -> Partial {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Partial> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a job of `total` steps.
    pub(crate) fn begin(&self, total: u64) {
        self.total.store(total, Relaxed);
        self.done.store(0, Relaxed);
        *self.lock() = Partial::default();
    }

    /// Counts a step.
    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Appends to the provisional output.
    pub(crate) fn emit(&self, output: &[u8], text: &[u8]) {
        let mut partial = self.lock();
        partial.output.extend_from_slice(output);
        partial.text.extend_from_slice(text);
    }

    /// Returns [`Error::Cancelled`] if the job was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}
