// SPDX-License-Identifier: GPL-3.0-only
//! The state of all jobs: queued, running or finished. Plain data, without threads or a clock.

use crate::runner::JobProgress;
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    JobId,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Priority of a job, highest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// Checks and audits, which have the shortest deadlines.
    Receipt,
    /// Generations: a user waits for the answer.
    Claim,
    /// Scores and aggregation: the last phases of a round.
    Round,
    /// Training, which takes longest.
    Training,
}

impl Priority {
    /// Returns the priority of a job.
    pub fn of(spec: &JobSpec) -> Self {
        match spec {
            JobSpec::Check(_) | JobSpec::Audit(_) => Priority::Receipt,
            JobSpec::Generate(_) => Priority::Claim,
            JobSpec::Score(_) | JobSpec::Aggregate(_) => Priority::Round,
            JobSpec::Train(_) => Priority::Training,
        }
    }
}

/// Priority and order of arrival.
type QueueKey = (Priority, u64);
type Outcome = Result<JobResult, JobFailure>;

/// All jobs: queued, running or finished.
pub struct Jobs {
    max_queued: usize,
    max_finished: usize,
    /// Logical time: increases with every enqueued job and every access.
    clock: u64,
    queue: BTreeMap<QueueKey, JobSpec>,
    queued: HashMap<JobId, QueueKey>,
    running: HashMap<JobId, Arc<dyn JobProgress>>,
    /// Outcomes and the time of the last access to each.
    finished: HashMap<JobId, (u64, Outcome)>,
    /// Finished jobs by the time of the last access.
    last_access: BTreeMap<u64, JobId>,
}

impl Jobs {
    /// Creates an empty queue with a maximum number of queued jobs and of retained outcomes.
    pub fn new(max_queued: usize, max_finished: usize) -> Self {
        Self {
            max_queued,
            max_finished,
            clock: 0,
            queue: BTreeMap::new(),
            queued: HashMap::new(),
            running: HashMap::new(),
            finished: HashMap::new(),
            last_access: BTreeMap::new(),
        }
    }

    /// Adds a job to the queue. Returns `false` if it is queued, running or completed already; a failed job is queued
    /// again.
    ///
    /// Errors: `Busy` if the queue is full.
    pub fn enqueue(&mut self, spec: JobSpec) -> Result<bool, JobFailure> {
        let job = spec.id();
        let done = matches!(self.finished.get(&job), Some((_, Ok(_))));
        if done || self.queued.contains_key(&job) || self.running.contains_key(&job) {
            return Ok(false);
        }
        if self.queue.len() >= self.max_queued {
            return Err(JobFailure::Busy);
        }
        self.remove_finished(&job);
        let key = (Priority::of(&spec), self.tick());
        self.queued.insert(job, key);
        self.queue.insert(key, spec);
        Ok(true)
    }

    /// Starts the first queued job of priority `lowest` or higher: moves it from the queue to the running jobs and
    /// returns it.
    pub fn start_next(&mut self, lowest: Priority, progress: Arc<dyn JobProgress>) -> Option<JobSpec> {
        let (priority, _) = *self.queue.keys().next()?;
        if priority > lowest {
            return None;
        }
        let (_, spec) = self.queue.pop_first()?;
        let job = spec.id();
        self.queued.remove(&job);
        self.running.insert(job, progress);
        Some(spec)
    }

    /// Records the outcome of a running job. Beyond the maximum, the outcome with the oldest access is dropped.
    pub fn finish(&mut self, job: JobId, outcome: Outcome) {
        self.running.remove(&job);
        self.remove_finished(&job);
        while self.finished.len() >= self.max_finished.max(1) {
            let Some((_, oldest)) = self.last_access.pop_first() else {
                break;
            };
            self.finished.remove(&oldest);
        }
        let now = self.tick();
        self.last_access.insert(now, job);
        self.finished.insert(job, (now, outcome));
    }

    /// Returns the status of a job, and records an access to its outcome.
    pub fn status(&mut self, job: &JobId) -> JobStatus {
        if self.queued.contains_key(job) || self.running.contains_key(job) {
            return JobStatus::Pending;
        }
        let now = self.tick();
        let Some((accessed, outcome)) = self.finished.get_mut(job) else {
            return JobStatus::Unknown;
        };
        self.last_access.remove(accessed);
        self.last_access.insert(now, *job);
        *accessed = now;
        match outcome {
            Ok(result) => JobStatus::Done(result.clone()),
            Err(failure) => JobStatus::Failed(*failure),
        }
    }

    /// Returns the progress of a running job.
    pub fn progress(&self, job: &JobId) -> Option<Arc<dyn JobProgress>> {
        self.running.get(job).cloned()
    }

    /// Returns the progress of every running job.
    pub fn running(&self) -> impl Iterator<Item = &Arc<dyn JobProgress>> {
        self.running.values()
    }

    fn remove_finished(&mut self, job: &JobId) {
        if let Some((accessed, _)) = self.finished.remove(job) {
            self.last_access.remove(&accessed);
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock = self.clock.wrapping_add(1);
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{audited, generate, train, NoProgress};

    fn jobs() -> Jobs {
        Jobs::new(3, 2)
    }

    fn start_next(jobs: &mut Jobs, lowest: Priority) -> Option<JobSpec> {
        jobs.start_next(lowest, Arc::new(NoProgress))
    }

    #[test]
    fn job_is_queued_once_until_it_has_failed() {
        let mut jobs = jobs();
        let spec = generate(1);
        assert_eq!(jobs.status(&spec.id()), JobStatus::Unknown);
        assert_eq!(jobs.enqueue(spec.clone()), Ok(true));
        assert_eq!(jobs.enqueue(spec.clone()), Ok(false));
        assert_eq!(start_next(&mut jobs, Priority::Training), Some(spec.clone()));
        assert_eq!(jobs.enqueue(spec.clone()), Ok(false));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Pending);
        jobs.finish(spec.id(), Err(JobFailure::BlobUnavailable));
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        assert_eq!(jobs.status(&spec.id()), failed);
        assert_eq!(jobs.enqueue(spec.clone()), Ok(true));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Pending);
        start_next(&mut jobs, Priority::Training);
        jobs.finish(spec.id(), Ok(audited()));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Done(audited()));
        assert_eq!(jobs.enqueue(spec), Ok(false));
    }

    #[test]
    fn jobs_are_refused_when_the_queue_is_full() {
        let mut jobs = jobs();
        for nonce in 0..3 {
            assert_eq!(jobs.enqueue(generate(nonce)), Ok(true));
        }
        assert_eq!(jobs.enqueue(generate(3)), Err(JobFailure::Busy));
        start_next(&mut jobs, Priority::Training);
        assert_eq!(jobs.enqueue(generate(3)), Ok(true));
    }

    #[test]
    fn jobs_start_by_priority_then_by_arrival() {
        let mut jobs = jobs();
        jobs.enqueue(train(1)).unwrap();
        jobs.enqueue(generate(1)).unwrap();
        jobs.enqueue(generate(2)).unwrap();
        assert_eq!(start_next(&mut jobs, Priority::Round), Some(generate(1)));
        assert_eq!(start_next(&mut jobs, Priority::Round), Some(generate(2)));
        assert_eq!(start_next(&mut jobs, Priority::Round), None);
        assert_eq!(start_next(&mut jobs, Priority::Training), Some(train(1)));
    }

    #[test]
    fn outcome_with_the_oldest_access_is_dropped_first() {
        let mut jobs = jobs();
        let ids = [1, 2, 3].map(|nonce| generate(nonce).id());
        jobs.finish(ids[0], Ok(audited()));
        jobs.finish(ids[1], Ok(audited()));
        jobs.status(&ids[0]);
        jobs.finish(ids[2], Ok(audited()));
        assert_eq!(jobs.status(&ids[1]), JobStatus::Unknown);
        assert_eq!(jobs.status(&ids[0]), JobStatus::Done(audited()));
        assert_eq!(jobs.last_access.len(), 2);
    }
}
