// SPDX-License-Identifier: Apache-2.0
//! Work spread over threads. Every task owns its outputs, so the number of threads changes no bit.

use crate::Result;
use agorai_exact::Isa;
use rayon::{prelude::*, ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, PoisonError};

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

    /// Runs a whole job on threads of its own: parallel work inside it starts no threads, and jobs that run at
    /// once do not wait for each other's. A job that ends leaves its threads to a later one.
    pub fn job<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.threads <= 1 {
            return work();
        }
        match idle(self.threads).or_else(|| pool(self.threads)) {
            Some(pool) => {
                let result = pool.install(work);
                leave(pool);
                result
            }
            None => work(),
        }
    }

    /// Runs work in which parallel iterators use the threads of the job; outside of one, it is a job itself.
    pub fn spread<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if self.threads <= 1 || rayon::current_thread_index().is_some() {
            return work();
        }
        self.job(work)
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

/// Pools that no job uses: starting threads, and the first use of their memory, takes longer than a short job.
static IDLE: Mutex<Vec<ThreadPool>> = Mutex::new(Vec::new());

/// Most pools that are left idle.
const MOST_IDLE: usize = 4;

/// An idle pool of so many threads.
fn idle(threads: usize) -> Option<ThreadPool> {
    let mut pools = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = pools.iter().position(|pool| pool.current_num_threads() == threads)?;
    Some(pools.remove(place))
}

/// Leaves a pool to later jobs. Of too many, those that have waited longest end.
fn leave(pool: ThreadPool) {
    let mut pools = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    pools.push(pool);
    if pools.len() > MOST_IDLE {
        pools.remove(0);
    }
}
