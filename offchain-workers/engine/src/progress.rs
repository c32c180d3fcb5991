// SPDX-License-Identifier: Apache-2.0
//! What others see of a running job, and how they stop it.

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
    /// The output so far as text (bytes of UTF-8 where the model speaks it).
    pub text: Vec<u8>,
}

/// A running job seen from outside: shared between the thread that works and those that watch.
#[derive(Debug, Default)]
pub struct Progress {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
    partial: Mutex<Partial>,
}

impl Progress {
    /// Of a job that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the job to stop at its next step.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Steps done and steps in all: tokens of a generation, inner steps of training, sequences of a score.
    pub fn steps(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }

    /// The provisional output.
    pub fn partial(&self) -> Partial {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Partial> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a job of `total` steps.
    pub(crate) fn begin(&self, total: u64) {
        self.total.store(total, Relaxed);
        self.done.store(0, Relaxed);
        *self.lock() = Partial::default();
    }

    /// Counts a step.
    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Adds to the provisional output.
    pub(crate) fn emit(&self, output: &[u8], text: &[u8]) {
        let mut partial = self.lock();
        partial.output.extend_from_slice(output);
        partial.text.extend_from_slice(text);
    }

    /// An error where the job has been asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}
