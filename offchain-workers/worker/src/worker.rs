// SPDX-License-Identifier: GPL-3.0-only
//! Jobs on threads of their own, in this process.

use crate::{
    jobs::{Class, Jobs},
    panics,
    run::Run,
};
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobFailure, JobSpec, JobStatus},
    JobId,
};
use parking_lot::{Condvar, Mutex};
use std::{
    io,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Arc,
    thread,
};

/// Added to the threads' niceness: block production goes first.
const NICE: i32 = 10;

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Jobs that run at a time. With more than one, one of them is kept free of training, so that a
    /// check never waits for a round.
    pub at_once: usize,
    /// Jobs that wait; beyond it they are refused as `Busy`.
    pub waiting: usize,
    /// Results that are remembered.
    pub finished: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            at_once: 2,
            waiting: 256,
            finished: 512,
        }
    }
}

/// Runs jobs on threads of its own, at low priority. Nothing is kept on disk: after a restart a job is
/// enqueued and computed again, with the same bits. Dropping it cancels what runs.
pub struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    at_once: usize,
}

struct State {
    jobs: Jobs,
    training: usize,
    stopped: bool,
}

impl Worker {
    /// Starts the threads. From here on a panic on a thread that computes ends the job, not the
    /// process, whatever panic hook was set before (see [`panics`]).
    pub fn start<R: Run>(run: R, config: WorkerConfig) -> io::Result<Self> {
        panics::survive_those_of_jobs();
        let at_once = config.at_once.max(1);
        let worker = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    jobs: Jobs::new(config.waiting, config.finished),
                    training: 0,
                    stopped: false,
                }),
                changed: Condvar::new(),
                at_once,
            }),
        };
        let run = Arc::new(run);
        for index in 0..at_once {
            let (shared, run) = (worker.shared.clone(), run.clone());
            thread::Builder::new()
                .name(format!("{}-{index}", panics::THREADS))
                .spawn(move || shared.work(run.as_ref()))?;
        }
        Ok(worker)
    }
}

impl Engine for Worker {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        if self.shared.state.lock().jobs.enqueue(spec)? {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    fn poll(&self, job: JobId) -> JobStatus {
        self.shared.state.lock().jobs.status(&job)
    }

    fn partial(&self, job: JobId) -> Vec<u8> {
        let watch = self.shared.state.lock().jobs.watch(&job);
        watch.map_or_else(Vec::new, |watch| watch.partial())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        state.jobs.running().for_each(|watch| watch.cancel());
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn work<R: Run>(&self, run: &R) {
        // Of this thread only, and of those that it starts.
        if let Err(error) = rustix::process::nice(NICE) {
            log::debug!(target: "compute", "cannot lower the priority: {error}");
        }
        while let Some((spec, progress)) = self.next::<R>() {
            let job = spec.id();
            log::debug!(target: "compute", "job {job:?} begins");
            let outcome = catch_unwind(AssertUnwindSafe(|| run.run(&spec, &progress)));
            let outcome = outcome.unwrap_or_else(|_| {
                log::error!(target: "compute", "job {job:?} panicked");
                Err(JobFailure::Interrupted)
            });
            let mut state = self.state.lock();
            if Class::of(&spec) == Class::Training {
                state.training -= 1;
                // A thread may wait for just that.
                self.changed.notify_all();
            }
            state.jobs.finish(job, outcome);
        }
    }

    /// Waits for a job; `None` when the worker is gone.
    fn next<R: Run>(&self) -> Option<(JobSpec, Arc<R::Progress>)> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            let may_train = self.at_once == 1 || state.training + 1 < self.at_once;
            let last = match may_train {
                true => Class::Training,
                false => Class::Round,
            };
            let progress = Arc::new(R::Progress::default());
            if let Some(spec) = state.jobs.take(last, progress.clone()) {
                if Class::of(&spec) == Class::Training {
                    state.training += 1;
                }
                return Some((spec, progress));
            }
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{generate, generated, train, until, Script, ScriptedRun};
    use std::time::Duration;

    fn worker(config: WorkerConfig) -> (Worker, Arc<Script>) {
        let script = Arc::<Script>::default();
        let worker = Worker::start(ScriptedRun(script.clone()), config).unwrap();
        (worker, script)
    }

    #[test]
    fn job_runs_once_and_its_result_is_kept() {
        let (worker, script) = worker(WorkerConfig::default());
        let spec = generate(1);
        assert_eq!(worker.poll(spec.id()), JobStatus::Unknown);
        for _ in 0..5 {
            worker.enqueue(spec.clone()).unwrap();
        }
        assert_eq!(worker.poll(spec.id()), JobStatus::Pending);
        until(|| script.started() == 1);
        script.yield_partial(b"par");
        until(|| worker.partial(spec.id()) == b"par");
        script.finish(Ok(generated(b"partial")));
        let done = JobStatus::Done(generated(b"partial"));
        until(|| worker.poll(spec.id()) == done);
        worker.enqueue(spec.clone()).unwrap();
        assert_eq!(worker.poll(spec.id()), done);
        assert_eq!(worker.partial(spec.id()), b"");
        assert_eq!(script.started(), 1);
    }

    #[test]
    fn failed_job_runs_again_when_it_is_enqueued_again() {
        let (worker, script) = worker(WorkerConfig::default());
        let spec = generate(2);
        worker.enqueue(spec.clone()).unwrap();
        script.finish(Err(JobFailure::BlobUnavailable));
        until(|| worker.poll(spec.id()) == JobStatus::Failed(JobFailure::BlobUnavailable));
        worker.enqueue(spec.clone()).unwrap();
        script.finish(Ok(generated(b"now")));
        until(|| worker.poll(spec.id()) == JobStatus::Done(generated(b"now")));
    }

    #[test]
    fn panic_of_a_job_interrupts_it_and_the_worker_goes_on() {
        let config = WorkerConfig {
            at_once: 1,
            ..WorkerConfig::default()
        };
        let (worker, script) = worker(config);
        let spec = generate(3);
        worker.enqueue(spec.clone()).unwrap();
        script.panic();
        until(|| worker.poll(spec.id()) == JobStatus::Failed(JobFailure::Interrupted));
        let next = generate(4);
        worker.enqueue(next.clone()).unwrap();
        script.finish(Ok(generated(b"on")));
        until(|| worker.poll(next.id()) == JobStatus::Done(generated(b"on")));
    }

    #[test]
    fn jobs_beyond_the_queue_are_refused_as_busy() {
        let config = WorkerConfig {
            at_once: 1,
            waiting: 2,
            finished: 2,
        };
        let (worker, script) = worker(config);
        worker.enqueue(generate(0)).unwrap();
        until(|| script.started() == 1);
        worker.enqueue(generate(1)).unwrap();
        worker.enqueue(generate(2)).unwrap();
        assert_eq!(worker.enqueue(generate(3)), Err(JobFailure::Busy));
    }

    #[test]
    fn generation_does_not_wait_for_training() {
        let (worker, script) = worker(WorkerConfig::default());
        worker.enqueue(train(0)).unwrap();
        worker.enqueue(train(1)).unwrap();
        until(|| script.started() == 1);
        thread::sleep(Duration::from_millis(50));
        assert_eq!(script.started(), 1, "one thread is kept free of training");
        worker.enqueue(generate(0)).unwrap();
        until(|| script.started() == 2);
    }

    #[test]
    fn running_jobs_are_cancelled_when_the_worker_is_dropped() {
        let (worker, script) = worker(WorkerConfig::default());
        worker.enqueue(generate(0)).unwrap();
        until(|| script.started() == 1);
        drop(worker);
        until(|| script.cancelled());
    }
}
