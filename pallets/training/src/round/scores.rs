// SPDX-License-Identifier: Apache-2.0
//! The evaluation of scores: which contributions have a gain.

use super::worker::DropReason;
use agorai_primitives::{training::Score, BlobId};
use alloc::vec::Vec;

/// A contribution and its score.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScoredContribution {
    /// The score.
    pub score: Score,
    /// The payload that the worker committed to.
    pub payload: BlobId,
    /// Number of workers that contributed earlier in the round.
    pub order: u32,
}

/// For each contribution its gain on held-out data, in micro-nats per token, or why it is dropped.
///
/// Of equal payloads only the first counts. A contribution counts if it reduces the loss on held-out data and the loss
/// on the worker's own data; a payload that does not reduce the latter was not trained on it.
pub fn evaluate(contributions: &[ScoredContribution]) -> Vec<Result<u64, DropReason>> {
    let is_copy = |contribution: &ScoredContribution| {
        contributions
            .iter()
            .any(|other| other.payload == contribution.payload && other.order < contribution.order)
    };
    contributions
        .iter()
        .map(|contribution| match u64::try_from(contribution.score.held_out) {
            _ if is_copy(contribution) => Err(DropReason::Copied),
            Ok(gain) if gain > 0 && contribution.score.own > 0 => Ok(gain),
            _ => Err(DropReason::NoGain),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(held_out: i64, own: i64, payload: u8, order: u32) -> ScoredContribution {
        let score = Score {
            worker: order,
            held_out,
            own,
        };
        ScoredContribution {
            score,
            payload: BlobId([payload; 32]),
            order,
        }
    }

    #[test]
    fn contribution_counts_when_it_gains_on_held_out_and_own_data() {
        use DropReason::*;
        let contributions = [
            scored(5, 1, 1, 0),
            scored(0, 1, 2, 1),
            scored(-3, 9, 3, 2),
            scored(7, 0, 4, 3),
            scored(i64::MAX, 1, 5, 4),
        ];
        let expected = [Ok(5), Err(NoGain), Err(NoGain), Err(NoGain), Ok(i64::MAX as u64)];
        assert_eq!(evaluate(&contributions), expected);
    }

    #[test]
    fn copy_is_dropped_and_the_first_of_equal_payloads_counts() {
        let contributions = [scored(5, 2, 1, 2), scored(5, 2, 1, 0), scored(4, 2, 2, 1)];
        assert_eq!(evaluate(&contributions), [Err(DropReason::Copied), Ok(5), Ok(4)]);
    }
}
