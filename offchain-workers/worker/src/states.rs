// SPDX-License-Identifier: GPL-3.0-only
//! Training states are large and matter for one round only: those of old jobs are deleted.

use agorai_primitives::{
    job::{JobResult, JobSpec},
    BlobId,
};
use std::collections::VecDeque;

/// Jobs of each kind whose states are kept: rounds end long before so many further ones are done, also
/// where a node takes part in several plans.
const KEPT_JOBS: usize = 32;

/// The states that the latest jobs have left in the store, oldest first. A restart forgets them, and what
/// was there then stays until somebody deletes it.
#[derive(Default)]
pub struct States {
    trained: VecDeque<Vec<BlobId>>,
    /// What an auditor has fetched: the state before the segment, and the last one.
    audited: VecDeque<Vec<BlobId>>,
}

impl States {
    /// Notes a job that is done; returns the states that nobody needs any more.
    pub fn after(&mut self, spec: &JobSpec, result: &JobResult) -> Vec<BlobId> {
        let (queue, states) = match (spec, result) {
            (JobSpec::Train(_), JobResult::Trained(contribution)) => (&mut self.trained, contribution.states.clone()),
            (JobSpec::Audit(audit), _) => {
                let states = &audit.contribution.states;
                let before = audit.segment.checked_sub(1);
                let before = before.and_then(|segment| states.get(segment as usize));
                let fetched = before.into_iter().chain(states.last());
                (&mut self.audited, fetched.copied().collect())
            }
            _ => return Vec::new(),
        };
        queue.push_back(states);
        if queue.len() <= KEPT_JOBS {
            return Vec::new();
        }
        let old = queue.pop_front().unwrap_or_default();
        let kept = || self.trained.iter().chain(&self.audited);
        let needed = |state: &BlobId| kept().any(|states| states.contains(state));
        old.into_iter().filter(|state| !needed(state)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::train;
    use agorai_primitives::training::Contribution;

    fn trained(state: u8) -> JobResult {
        JobResult::Trained(Contribution {
            payload: BlobId::default(),
            payload_bytes: 0,
            error_feedback: BlobId::default(),
            states: vec![BlobId([state; 32])],
            loss_first: 0,
            loss_last: 0,
        })
    }

    #[test]
    fn states_go_when_many_later_jobs_are_done_and_none_needs_them() {
        let mut states = States::default();
        assert!(states.after(&train(0), &trained(7)).is_empty());
        assert!(states.after(&train(1), &trained(8)).is_empty());
        assert!(states.after(&train(2), &trained(7)).is_empty());
        for later in 3..KEPT_JOBS as u8 {
            assert!(states.after(&train(later.into()), &trained(100 + later)).is_empty());
        }
        // The first job's state is also the third's.
        assert!(states.after(&train(90), &trained(90)).is_empty());
        assert_eq!(states.after(&train(91), &trained(91)), [BlobId([8; 32])]);
        assert_eq!(states.after(&train(92), &trained(92)), [BlobId([7; 32])]);
    }
}
