// SPDX-License-Identifier: Apache-2.0
//! Work spread over threads. Every task owns its outputs, so the number of threads changes no bit.

use crate::Result;
use agorai_exact::{matmul::Chain, Isa, PackedMatrix};
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

    /// Runs tasks, each on some thread. Of several errors, the first task's is returned.
    pub fn run<T, F>(&self, tasks: T) -> Result<()>
    where
        T: IntoIterator<Item = F>,
        T::IntoIter: Send,
        F: FnOnce() -> Result<()> + Send,
    {
        let mut tasks = tasks.into_iter().enumerate();
        if self.threads <= 1 {
            return tasks.try_for_each(|(_, task)| task());
        }
        let queue = Mutex::new(tasks);
        let failure = Mutex::new(None);
        let work = || loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, task)) = next else { break };
            if let Err(error) = task() {
                let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                match &*first {
                    Some((earlier, _)) if *earlier < index => {}
                    _ => *first = Some((index, error)),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads {
                // Named, so that a host process can tell a panic here from one of its own. A thread that
                // cannot be started costs speed, not the result.
                let _ = std::thread::Builder::new()
                    .name("compute".into())
                    .spawn_scoped(scope, work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// `out = x w` or, continuing chains, `out += x w`: x [rows, k], w [k, n], out [rows, n].
    pub fn linear(&self, chain: Chain, x: &[f32], w: &PackedMatrix, out: &mut [f32]) -> Result<()> {
        let (k, n) = (w.k().max(1), w.n().max(1));
        let rows = out.len() / n;
        let means = self.for_work(rows.saturating_mul(k).saturating_mul(n));
        let threads = means.threads.min(rows).max(1);
        if threads == 1 {
            return Ok(agorai_exact::matmul::matmul_chain(
                self.isa, chain, x, w, out,
            )?);
        }
        let each = rows.div_ceil(threads);
        let parts = x.chunks(each * k).zip(out.chunks_mut(each * n));
        means.run(parts.map(|(x, out)| {
            move || {
                Ok(agorai_exact::matmul::matmul_chain(
                    self.isa, chain, x, w, out,
                )?)
            }
        }))
    }
}
