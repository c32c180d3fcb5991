// SPDX-License-Identifier: Apache-2.0
//! Thread pools and parallel tasks. Every task owns its outputs, so the number of threads changes no bit.

use crate::error::Result;
use agorai_exact::Isa;
use rayon::{prelude::*, ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, PoisonError};

/// Number of multiply-adds, about 0.2 ms of work, for which starting another thread is worthwhile.
const MULTIPLY_ADDS_PER_THREAD: usize = 1 << 23;

/// The instruction set and the number of threads of a computation. Neither changes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComputeConfig {
    /// Instruction set.
    pub isa: Isa,
    /// Number of threads, at least 1.
    pub threads: usize,
}

impl ComputeConfig {
    /// Returns the same instruction set with one thread.
    pub fn single_threaded(self) -> Self {
        Self { threads: 1, ..self }
    }

    /// Reduces the number of threads to those that are worth starting for a number of multiply-adds.
    pub fn for_work(self, multiply_adds: usize) -> Self {
        let threads = self.threads.min(multiply_adds / MULTIPLY_ADDS_PER_THREAD).max(1);
        Self { threads, ..self }
    }

    /// Runs a whole job in a thread pool of its own: parallel work within it starts no threads, and concurrent jobs do
    /// not wait for each other's threads. The pool is reused by later jobs.
    pub fn with_pool<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.threads <= 1 {
            return work();
        }
        match take_idle_pool(self.threads).or_else(|| new_pool(self.threads)) {
            Some(pool) => {
                let result = pool.install(work);
                return_pool(pool);
                result
            }
            None => work(),
        }
    }

    /// Runs work whose parallel iterators use the thread pool of the current job, or a pool as of
    /// [`ComputeConfig::with_pool`] outside of a job.
    pub fn in_pool<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.threads <= 1 || rayon::current_thread_index().is_some() {
            return work();
        }
        self.with_pool(work)
    }

    /// Runs independent tasks in parallel. Of several errors, the first task's is returned.
    pub fn run_tasks<T, F>(&self, tasks: T) -> Result<()>
    where
        T: IntoIterator<Item = F>,
        F: FnOnce() -> Result<()> + Send,
    {
        let mut tasks = tasks.into_iter();
        if self.threads <= 1 {
            return tasks.try_for_each(|task| task());
        }
        let tasks: Vec<F> = tasks.collect();
        let tasks = tasks.into_par_iter().with_max_len(1).map(|task| task());
        let results: Vec<Result<()>> = self.in_pool(|| tasks.collect());
        results.into_iter().collect()
    }
}

/// Starts a thread pool, or returns `None` if the system has no threads left: that costs speed, not the result.
fn new_pool(threads: usize) -> Option<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        // A host process tells panics of these threads from its own by their name.
        .thread_name(|_| "compute".into())
        .build()
        .ok()
}

/// Idle pools: starting threads, and the first use of their memory, takes longer than a short job.
static IDLE_POOLS: Mutex<Vec<ThreadPool>> = Mutex::new(Vec::new());

/// Maximum number of idle pools.
const MAX_IDLE_POOLS: usize = 4;

/// Removes and returns an idle pool of `threads` threads.
fn take_idle_pool(threads: usize) -> Option<ThreadPool> {
    let mut pools = IDLE_POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let index = pools.iter().position(|pool| pool.current_num_threads() == threads)?;
    Some(pools.remove(index))
}

/// Returns a pool to the idle ones and drops the pool that has been idle longest if there are too many.
fn return_pool(pool: ThreadPool) {
    let mut pools = IDLE_POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.push(pool);
    if pools.len() > MAX_IDLE_POOLS {
        pools.remove(0);
    }
}
