// SPDX-License-Identifier: Apache-2.0
//! The rewards of a round: plancks from the escrow and new shares of the model, in proportion to the gains.

use crate::{Config, Event, HoldReason, Pallet, PlanOf, LOG_TARGET};
use agorai_primitives::{traits::ModelRegistry, Balance, PlanId};
use alloc::vec::Vec;
use frame_support::traits::{
    fungible::MutateHold,
    tokens::{Fortitude, Precision, Restriction},
};
use sp_core::U256;

impl<T: Config> Pallet<T> {
    /// Pays the reward of the current round and issues its shares, split by gain. Returns the sum of the payments, in
    /// plancks. A payment that fails remains in the escrow.
    pub(crate) fn pay_workers(id: PlanId, plan: &mut PlanOf<T>, gains: &[(T::AccountId, u64)]) -> Balance {
        let weights: Vec<u64> = gains.iter().map(|(_, gain)| *gain).collect();
        let amounts = split(plan.reward_per_round.min(plan.escrow), &weights);
        let shares = split(plan.shares_per_round, &weights);
        let mut total: Balance = 0;
        for (((who, _), amount), shares) in gains.iter().zip(amounts).zip(shares) {
            let paid = T::Currency::transfer_on_hold(
                &HoldReason::Escrow.into(),
                &plan.owner,
                who,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .unwrap_or_else(|error| {
                log::warn!(target: LOG_TARGET, "cannot pay worker {who:?}: {error:?}");
                0
            });
            let issued = T::Models::issue_shares(plan.model, who, shares);
            if let Err(error) = &issued {
                log::warn!(target: LOG_TARGET, "cannot issue shares to worker {who:?}: {error:?}");
            }
            plan.escrow = plan.escrow.saturating_sub(paid);
            plan.paid = plan.paid.saturating_add(paid);
            total = total.saturating_add(paid);
            Self::deposit_event(Event::Paid {
                plan: id,
                round: plan.round,
                worker: who.clone(),
                amount: paid,
                shares: if issued.is_ok() { shares } else { 0 },
            });
        }
        total
    }
}

/// Splits `total` in proportion to `weights`. The parts add up to `total`: of the remainder, one unit each is added to
/// the first parts with a positive weight. All parts are zero if all weights are.
fn split(total: Balance, weights: &[u64]) -> Vec<Balance> {
    let sum = weights
        .iter()
        .fold(U256::zero(), |sum, weight| sum + U256::from(*weight));
    if sum.is_zero() {
        return weights.iter().map(|_| 0).collect();
    }
    let mut parts: Vec<Balance> = weights
        .iter()
        .map(|weight| (U256::from(total) * U256::from(*weight) / sum).low_u128())
        .collect();
    let assigned = parts.iter().fold(0 as Balance, |sum, part| sum.saturating_add(*part));
    let mut remainder = total.saturating_sub(assigned);
    for (part, weight) in parts.iter_mut().zip(weights) {
        if remainder > 0 && *weight > 0 {
            *part = part.saturating_add(1);
            remainder = remainder.saturating_sub(1);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_add_up_to_the_total_in_proportion_to_the_weights(
            total in any::<u128>(),
            weights in prop::collection::vec(prop_oneof![Just(0u64), 1u64..100, any::<u64>()], 0..33),
        ) {
            let parts = split(total, &weights);
            prop_assert_eq!(parts.len(), weights.len());
            let sum = parts.iter().fold(U256::zero(), |sum, part| sum + U256::from(*part));
            let expected = if weights.iter().any(|weight| *weight > 0) { total } else { 0 };
            prop_assert_eq!(sum, U256::from(expected));
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || *part == 0);
                for (other, other_weight) in parts.iter().zip(&weights) {
                    prop_assert!(weight > other_weight || *part <= other.saturating_add(1));
                }
            }
        }
    }
}
