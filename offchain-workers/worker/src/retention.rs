// SPDX-License-Identifier: GPL-3.0-only
//! Deletion of training states. They are large and needed in one round only.

use agorai_primitives::{
    job::{JobResult, JobSpec},
    BlobId,
};
use std::collections::VecDeque;

/// Number of completed jobs of each kind whose states are retained. A round ends long before a node completes this many
/// further jobs, even if it participates in several plans.
const RETAINED_JOBS: usize = 32;

/// The states that the latest jobs left in the store, oldest first. It is not persisted: states from before a restart
/// are not deleted.
#[derive(Default)]
pub struct StateRetention {
    trained: VecDeque<Vec<BlobId>>,
    /// The states that audits fetched: the one before the segment, and the last one.
    audited: VecDeque<Vec<BlobId>>,
}

impl StateRetention {
    /// Records a completed job and returns the states that may be deleted.
    pub fn record(&mut self, spec: &JobSpec, result: &JobResult) -> Vec<BlobId> {
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
        if queue.len() <= RETAINED_JOBS {
            return Vec::new();
        }
        let expired = queue.pop_front().unwrap_or_default();
        let retained = || self.trained.iter().chain(&self.audited);
        let needed = |state: &BlobId| retained().any(|states| states.contains(state));
        expired.into_iter().filter(|state| !needed(state)).collect()
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
    fn states_expire_after_enough_later_jobs_unless_one_needs_them() {
        let mut retention = StateRetention::default();
        assert!(retention.record(&train(0), &trained(7)).is_empty());
        assert!(retention.record(&train(1), &trained(8)).is_empty());
        assert!(retention.record(&train(2), &trained(7)).is_empty());
        for later in 3..RETAINED_JOBS as u8 {
            assert!(retention.record(&train(later.into()), &trained(100 + later)).is_empty());
        }
        // The first and the third job have the same state.
        assert!(retention.record(&train(90), &trained(90)).is_empty());
        assert_eq!(retention.record(&train(91), &trained(91)), [BlobId([8; 32])]);
        assert_eq!(retention.record(&train(92), &trained(92)), [BlobId([7; 32])]);
    }
}
