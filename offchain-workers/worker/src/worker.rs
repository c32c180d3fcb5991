// SPDX-License-Identifier: GPL-3.0-only
//! Runs jobs on background threads of this process.

use crate::{
    jobs::{Jobs, Priority},
    panic_hook,
    runner::JobRunner,
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

/// Increment of the threads' niceness, so that block production has precedence.
const NICENESS: i32 = 10;

/// Configuration of a [`Worker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Maximum number of running jobs. If it is above 1, one thread runs no training, so that a check never waits for a
    /// round.
    pub max_running: usize,
    /// Maximum number of queued jobs. Further ones are refused as `Busy`.
    pub max_queued: usize,
    /// Maximum number of retained outcomes.
    pub max_finished: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            max_running: 2,
            max_queued: 256,
            max_finished: 512,
        }
    }
}

/// Runs jobs on background threads of low priority. Nothing is persisted: after a restart a job is enqueued and
/// computed again, with the same result. Dropping the worker cancels its running jobs.
pub struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    max_running: usize,
}

struct State {
    jobs: Jobs,
    running_trainings: usize,
    stopped: bool,
}

impl Worker {
    /// Starts the threads, and installs the [`panic_hook`], so that a panic of a job does not end the process.
    pub fn start<R: JobRunner>(runner: R, config: WorkerConfig) -> io::Result<Self> {
        panic_hook::install();
        let max_running = config.max_running.max(1);
        let worker = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    jobs: Jobs::new(config.max_queued, config.max_finished),
                    running_trainings: 0,
                    stopped: false,
                }),
                changed: Condvar::new(),
                max_running,
            }),
        };
        let runner = Arc::new(runner);
        for index in 0..max_running {
            let (shared, runner) = (worker.shared.clone(), runner.clone());
            thread::Builder::new()
                .name(format!("{}-{index}", panic_hook::THREAD_PREFIX))
                .spawn(move || shared.run_jobs(runner.as_ref()))?;
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
        let progress = self.shared.state.lock().jobs.progress(&job);
        progress.map_or_else(Vec::new, |progress| progress.partial())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        state.jobs.running().for_each(|progress| progress.cancel());
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run_jobs<R: JobRunner>(&self, runner: &R) {
        // Applies to this thread and to the threads that it starts.
        if let Err(error) = rustix::process::nice(NICENESS) {
            log::debug!(target: "compute", "cannot lower the thread priority: {error}");
        }
        while let Some((spec, progress)) = self.next_job::<R>() {
            let job = spec.id();
            log::debug!(target: "compute", "job {job:?} starts");
            let outcome = catch_unwind(AssertUnwindSafe(|| runner.run(&spec, &progress)));
            let outcome = outcome.unwrap_or_else(|_| {
                log::error!(target: "compute", "job {job:?} panicked");
                Err(JobFailure::Interrupted)
            });
            let mut state = self.state.lock();
            if Priority::of(&spec) == Priority::Training {
                state.running_trainings -= 1;
                // A thread may be waiting to start a training job.
                self.changed.notify_all();
            }
            state.jobs.finish(job, outcome);
        }
    }

    /// Waits for the next job. Returns `None` after the worker is dropped.
    fn next_job<R: JobRunner>(&self) -> Option<(JobSpec, Arc<R::Progress>)> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            let may_train = self.max_running == 1 || state.running_trainings + 1 < self.max_running;
            let lowest = match may_train {
                true => Priority::Training,
                false => Priority::Round,
            };
            let progress = Arc::new(R::Progress::default());
            if let Some(spec) = state.jobs.start_next(lowest, progress.clone()) {
                if Priority::of(&spec) == Priority::Training {
                    state.running_trainings += 1;
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
    use crate::testing::{generate, generated, train, until, Script, ScriptedRunner};
    use std::time::Duration;

    fn worker(config: WorkerConfig) -> (Worker, Arc<Script>) {
        let script = Arc::<Script>::default();
        let worker = Worker::start(ScriptedRunner(script.clone()), config).unwrap();
        (worker, script)
    }

    #[test]
    fn job_runs_once_and_its_result_is_retained() {
        let (worker, script) = worker(WorkerConfig::default());
        let spec = generate(1);
        assert_eq!(worker.poll(spec.id()), JobStatus::Unknown);
        for _ in 0..5 {
            worker.enqueue(spec.clone()).unwrap();
        }
        assert_eq!(worker.poll(spec.id()), JobStatus::Pending);
        until(|| script.started() == 1);
        script.set_partial(b"par");
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
    fn panic_interrupts_its_job_only() {
        let config = WorkerConfig {
            max_running: 1,
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
            max_running: 1,
            max_queued: 2,
            max_finished: 2,
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
        assert_eq!(script.started(), 1, "one thread runs no training");
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
