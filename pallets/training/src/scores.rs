// SPDX-License-Identifier: Apache-2.0
//! Which contributions count, and what each is paid. Knows neither chains nor rounds.

use crate::types::DropReason;
use agorai_primitives::{training::Score, Balance, BlobId};
use alloc::vec::Vec;
use sp_core::U256;

/// A contribution that was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its score.
    pub score: Score,
    /// What was committed to.
    pub payload: BlobId,
    /// How many contributed before.
    pub order: u32,
}

/// What each contribution gained on held-out data, or why it does not count: whoever committed to a
/// payload first is its author, and who gained nothing on held-out data, or nothing on its own (so
/// that its payload cannot come from there), has done no work.
pub fn judge(entries: &[Entry]) -> Vec<Result<u64, DropReason>> {
    let copied = |entry: &Entry| {
        entries
            .iter()
            .any(|other| other.payload == entry.payload && other.order < entry.order)
    };
    entries
        .iter()
        .map(|entry| match u64::try_from(entry.score.held_out) {
            _ if copied(entry) => Err(DropReason::Copied),
            Ok(gain) if gain > 0 && entry.score.own > 0 => Ok(gain),
            _ => Err(DropReason::NoGain),
        })
        .collect()
}

/// Splits `total` in proportion to `gains`, to the last unit: what rounding leaves over goes to the
/// first that gained anything, a unit each. All parts are zero where nobody gained.
pub fn split(total: Balance, gains: &[u64]) -> Vec<Balance> {
    let sum = gains.iter().fold(U256::zero(), |sum, gain| sum + U256::from(*gain));
    if sum.is_zero() {
        return gains.iter().map(|_| 0).collect();
    }
    let mut parts: Vec<Balance> = gains
        .iter()
        .map(|gain| (U256::from(total) * U256::from(*gain) / sum).low_u128())
        .collect();
    let given = parts
        .iter()
        .fold(0 as Balance, |given, part| given.saturating_add(*part));
    let mut left = total.saturating_sub(given);
    for (part, gain) in parts.iter_mut().zip(gains) {
        if left > 0 && *gain > 0 {
            *part = part.saturating_add(1);
            left = left.saturating_sub(1);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(held_out: i64, own: i64, payload: u8, order: u32) -> Entry {
        let score = Score {
            worker: order,
            held_out,
            own,
        };
        Entry {
            score,
            payload: BlobId([payload; 32]),
            order,
        }
    }

    #[test]
    fn contribution_counts_when_it_gained_on_both_kinds_of_data() {
        use DropReason::*;
        let entries = [
            entry(5, 1, 1, 0),
            entry(0, 1, 2, 1),
            entry(-3, 9, 3, 2),
            entry(7, 0, 4, 3),
            entry(i64::MAX, 1, 5, 4),
        ];
        let expected = [Ok(5), Err(NoGain), Err(NoGain), Err(NoGain), Ok(i64::MAX as u64)];
        assert_eq!(judge(&entries), expected);
    }

    #[test]
    fn copy_gets_nothing_and_its_author_keeps_all() {
        let entries = [entry(5, 2, 1, 2), entry(5, 2, 1, 0), entry(4, 2, 2, 1)];
        assert_eq!(judge(&entries), [Err(DropReason::Copied), Ok(5), Ok(4)]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_follow_the_gains(
            total in any::<u128>(),
            gains in prop::collection::vec(prop_oneof![Just(0u64), 1u64..100, any::<u64>()], 0..33),
        ) {
            let parts = split(total, &gains);
            prop_assert_eq!(parts.len(), gains.len());
            let sum = parts.iter().fold(U256::zero(), |sum, part| sum + U256::from(*part));
            let expected = if gains.iter().any(|gain| *gain > 0) { total } else { 0 };
            prop_assert_eq!(sum, U256::from(expected));
            for (part, gain) in parts.iter().zip(&gains) {
                prop_assert!(*gain > 0 || *part == 0);
                for (other, more) in parts.iter().zip(&gains) {
                    prop_assert!(gain > more || *part <= other.saturating_add(1));
                }
            }
        }
    }
}
