// SPDX-License-Identifier: GPL-3.0-only
//! Which jobs wait, run and are done. Plain data: no threads, no clock.

use crate::run::Watch;
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    JobId,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Which jobs come first. What others wait for comes before what only fills time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Checks and audits: a committee's deadline runs.
    Receipt,
    /// Generations: a user waits.
    Claim,
    /// Scores and aggregation: a round's last phases.
    Round,
    /// Training: takes long.
    Training,
}

impl Class {
    /// Of a job.
    pub fn of(spec: &JobSpec) -> Self {
        match spec {
            JobSpec::Check(_) | JobSpec::Audit(_) => Class::Receipt,
            JobSpec::Generate(_) => Class::Claim,
            JobSpec::Score(_) | JobSpec::Aggregate(_) => Class::Round,
            JobSpec::Train(_) => Class::Training,
        }
    }
}

type Place = (Class, u64);
type Outcome = Result<JobResult, JobFailure>;

/// Which jobs wait, run and are done.
pub struct Jobs {
    most_waiting: usize,
    most_finished: usize,
    clock: u64,
    queue: BTreeMap<Place, JobSpec>,
    waiting: HashMap<JobId, Place>,
    running: HashMap<JobId, Arc<dyn Watch>>,
    finished: HashMap<JobId, (u64, Outcome)>,
    /// When each finished job was last asked for.
    order: BTreeMap<u64, JobId>,
}

impl Jobs {
    /// Bounds on what waits and on what is remembered.
    pub fn new(most_waiting: usize, most_finished: usize) -> Self {
        Self {
            most_waiting,
            most_finished,
            clock: 0,
            queue: BTreeMap::new(),
            waiting: HashMap::new(),
            running: HashMap::new(),
            finished: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// Takes a job on; `true` if it has to be run (again).
    pub fn enqueue(&mut self, spec: JobSpec) -> Result<bool, JobFailure> {
        let job = spec.id();
        let done = matches!(self.finished.get(&job), Some((_, Ok(_))));
        if done || self.waiting.contains_key(&job) || self.running.contains_key(&job) {
            return Ok(false);
        }
        if self.queue.len() >= self.most_waiting {
            return Err(JobFailure::Busy);
        }
        self.forget(&job);
        let place = (Class::of(&spec), self.tick());
        self.waiting.insert(job, place);
        self.queue.insert(place, spec);
        Ok(true)
    }

    /// The first waiting job that is of class `last` or before it; it counts as running now.
    pub fn take(&mut self, last: Class, watch: Arc<dyn Watch>) -> Option<JobSpec> {
        let (class, _) = *self.queue.keys().next()?;
        if class > last {
            return None;
        }
        let (_, spec) = self.queue.pop_first()?;
        let job = spec.id();
        self.waiting.remove(&job);
        self.running.insert(job, watch);
        Some(spec)
    }

    /// Notes how a running job ended.
    pub fn finish(&mut self, job: JobId, outcome: Outcome) {
        self.running.remove(&job);
        self.forget(&job);
        while self.finished.len() >= self.most_finished.max(1) {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.finished.remove(&oldest);
        }
        let now = self.tick();
        self.order.insert(now, job);
        self.finished.insert(job, (now, outcome));
    }

    /// Where a job stands. Asking keeps a result from being forgotten.
    pub fn status(&mut self, job: &JobId) -> JobStatus {
        if self.waiting.contains_key(job) || self.running.contains_key(job) {
            return JobStatus::Pending;
        }
        let now = self.tick();
        let Some((asked, outcome)) = self.finished.get_mut(job) else {
            return JobStatus::Unknown;
        };
        self.order.remove(asked);
        self.order.insert(now, *job);
        *asked = now;
        match outcome {
            Ok(result) => JobStatus::Done(result.clone()),
            Err(failure) => JobStatus::Failed(*failure),
        }
    }

    /// How to watch a running job.
    pub fn watch(&self, job: &JobId) -> Option<Arc<dyn Watch>> {
        self.running.get(job).cloned()
    }

    /// All running jobs.
    pub fn running(&self) -> impl Iterator<Item = &Arc<dyn Watch>> {
        self.running.values()
    }

    fn forget(&mut self, job: &JobId) {
        if let Some((asked, _)) = self.finished.remove(job) {
            self.order.remove(&asked);
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
    use crate::testing::{audited, generate, train, Nothing};

    fn jobs() -> Jobs {
        Jobs::new(3, 2)
    }

    fn take(jobs: &mut Jobs, last: Class) -> Option<JobSpec> {
        jobs.take(last, Arc::new(Nothing))
    }

    #[test]
    fn job_is_taken_on_once_until_it_has_failed() {
        let mut jobs = jobs();
        let spec = generate(1);
        assert_eq!(jobs.status(&spec.id()), JobStatus::Unknown);
        assert_eq!(jobs.enqueue(spec.clone()), Ok(true));
        assert_eq!(jobs.enqueue(spec.clone()), Ok(false));
        assert_eq!(take(&mut jobs, Class::Training), Some(spec.clone()));
        assert_eq!(jobs.enqueue(spec.clone()), Ok(false));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Pending);
        jobs.finish(spec.id(), Err(JobFailure::BlobUnavailable));
        let failed = JobStatus::Failed(JobFailure::BlobUnavailable);
        assert_eq!(jobs.status(&spec.id()), failed);
        assert_eq!(jobs.enqueue(spec.clone()), Ok(true));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Pending);
        take(&mut jobs, Class::Training);
        jobs.finish(spec.id(), Ok(audited()));
        assert_eq!(jobs.status(&spec.id()), JobStatus::Done(audited()));
        assert_eq!(jobs.enqueue(spec), Ok(false));
    }

    #[test]
    fn jobs_are_refused_when_too_many_wait() {
        let mut jobs = jobs();
        for nonce in 0..3 {
            assert_eq!(jobs.enqueue(generate(nonce)), Ok(true));
        }
        assert_eq!(jobs.enqueue(generate(3)), Err(JobFailure::Busy));
        take(&mut jobs, Class::Training);
        assert_eq!(jobs.enqueue(generate(3)), Ok(true));
    }

    #[test]
    fn what_others_wait_for_comes_first_and_training_last() {
        let mut jobs = jobs();
        jobs.enqueue(train(1)).unwrap();
        jobs.enqueue(generate(1)).unwrap();
        jobs.enqueue(generate(2)).unwrap();
        assert_eq!(take(&mut jobs, Class::Round), Some(generate(1)));
        assert_eq!(take(&mut jobs, Class::Round), Some(generate(2)));
        assert_eq!(take(&mut jobs, Class::Round), None);
        assert_eq!(take(&mut jobs, Class::Training), Some(train(1)));
    }

    #[test]
    fn result_asked_for_longest_ago_is_forgotten_first() {
        let mut jobs = jobs();
        let ids = [1, 2, 3].map(|nonce| generate(nonce).id());
        jobs.finish(ids[0], Ok(audited()));
        jobs.finish(ids[1], Ok(audited()));
        jobs.status(&ids[0]);
        jobs.finish(ids[2], Ok(audited()));
        assert_eq!(jobs.status(&ids[1]), JobStatus::Unknown);
        assert_eq!(jobs.status(&ids[0]), JobStatus::Done(audited()));
        assert_eq!(jobs.order.len(), 2);
    }
}
