// SPDX-License-Identifier: Apache-2.0
//! Work spread over threads. Every task owns its outputs, so the number of threads changes no bit.

use crate::Result;
use agorai_exact::Isa;
use rayon::{prelude::*, ThreadPool, ThreadPoolBuilder};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Multiply-adds for which starting a thread costs little: some 0.2 ms of work.
const WORTH_A_THREAD: usize = 1 << 23;

/// The means of computing: an instruction set and a number of threads. Neither changes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Instruction set.
    pub isa: Isa,
    /// Threads, at least 1.
    pub threads: usize,
}

impl Means {
    /// The same instruction set on one thread.
    pub fn alone(self) -> Self {
        Self { threads: 1, ..self }
    }

    /// As many of the threads as are worth starting for so many multiply-adds.
    pub fn for_work(self, multiply_adds: usize) -> Self {
        let threads = self.threads.min(multiply_adds / WORTH_A_THREAD).max(1);
        Self { threads, ..self }
    }

    /// Runs a whole job on threads of its own, which end with it: parallel work inside it starts no threads,
    /// and jobs that run at once do not wait for each other's.
    pub fn job<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.threads {
            0 | 1 => work(),
            threads => match pool(threads) {
                Some(pool) => pool.install(work),
                None => work(),
            },
        }
    }

    /// Runs work in which parallel iterators use the threads of the job, or, outside of a job, of a pool
    /// that is kept.
    pub fn spread<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.threads <= 1 || rayon::current_thread_index().is_some() {
            return work();
        }
        match kept(self.threads) {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Runs tasks, each on some thread. Of several errors, the first task's is returned.
    pub fn run<T, F>(&self, tasks: T) -> Result<()>
    where
        T: IntoIterator<Item = F>,
        F: FnOnce() -> Result<()> + Send,
    {
        let mut tasks = tasks.into_iter();
        if self.threads <= 1 {
            return tasks.try_for_each(|task| task());
        }
        let tasks: Vec<F> = tasks.collect();
        let each = tasks.into_par_iter().with_max_len(1).map(|task| task());
        let results: Vec<Result<()>> = self.spread(|| each.collect());
        results.into_iter().collect()
    }
}

/// New threads. A pool that cannot be had costs speed, not the result.
fn pool(threads: usize) -> Option<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        // Named, so that a host process can tell a panic here from one of its own.
        .thread_name(|_| "compute".into())
        .build()
        .ok()
}

/// Threads for work outside of jobs, made at their first use.
fn kept(threads: usize) -> Option<Arc<ThreadPool>> {
    static POOLS: Mutex<BTreeMap<usize, Arc<ThreadPool>>> = Mutex::new(BTreeMap::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&threads) {
        return Some(pool.clone());
    }
    let pool = Arc::new(pool(threads)?);
    pools.insert(threads, pool.clone());
    Some(pool)
}
