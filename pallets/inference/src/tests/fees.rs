// SPDX-License-Identifier: Apache-2.0
//! The split of a fee, without a chain.

use crate::fees::{payments, rotate, FeeShares, FeeSplit, Parties, Payment, Role};
use agorai_primitives::Balance;
use proptest::prelude::*;
use sp_runtime::{PerThing, Perbill};

fn parties() -> Parties<u32> {
    Parties {
        executor: 1,
        checkers: vec![2, 3, 4],
        pot: 90,
        datasets: vec![vec![(60, 1), (61, 3)], vec![(60, 2)]],
        treasury: 99,
    }
}

fn amounts(role: Role, paid: &[Payment<u32>]) -> Vec<(u32, Balance)> {
    paid.iter()
        .filter(|payment| payment.role == role)
        .map(|payment| (payment.to, payment.amount))
        .collect()
}

#[test]
fn fee_is_split_by_shares_and_remainders_are_paid_to_the_executor() {
    let paid = payments(10_010, &FeeShares::STANDARD, &parties());
    assert_eq!(amounts(Role::Checker, &paid), [(2, 667), (3, 667), (4, 667)]);
    // 500 for two datasets: account 60 has 1/4 of the first and all of the second.
    assert_eq!(amounts(Role::Contributor, &paid), [(60, 312), (61, 187)]);
    assert_eq!(amounts(Role::Holders, &paid), [(90, 2_002)]);
    assert_eq!(amounts(Role::Treasury, &paid), [(99, 500)]);
    let remainder = 10_010 - 3 * 667 - 312 - 187 - 2_002 - 500;
    assert_eq!(amounts(Role::Executor, &paid), [(1, remainder)]);
}

#[test]
fn executor_receives_the_part_of_checkers_when_there_are_none() {
    let without_checkers = Parties {
        checkers: vec![],
        ..parties()
    };
    let paid = payments(1_000, &FeeShares::STANDARD, &without_checkers);
    assert!(amounts(Role::Checker, &paid).is_empty());
    // 500 + 200, and 1 that the division of the contributors' 50 leaves.
    assert_eq!(amounts(Role::Executor, &paid), [(1, 701)]);
}

#[test]
fn holders_receive_the_part_of_contributors_when_there_are_none() {
    for datasets in [vec![], vec![vec![]], vec![vec![(60, 0)]]] {
        let without_contributors = Parties { datasets, ..parties() };
        let paid = payments(1_000, &FeeShares::STANDARD, &without_contributors);
        assert!(amounts(Role::Contributor, &paid).is_empty());
        assert_eq!(amounts(Role::Holders, &paid), [(90, 250)]);
    }
}

#[test]
fn fee_of_zero_has_no_payments() {
    assert!(payments(0, &FeeShares::STANDARD, &parties()).is_empty());
}

#[test]
fn shares_are_whole_only_if_they_add_up_to_one() {
    assert!(FeeShares::STANDARD.is_whole());
    let excessive = FeeShares {
        treasury: Perbill::from_percent(6),
        ..FeeShares::STANDARD
    };
    assert!(!excessive.is_whole());
}

#[test]
fn rotation_returns_each_item_equally_often() {
    assert_eq!(rotate(&[1, 2, 3], 0, 2), [1, 2]);
    assert_eq!(rotate(&[1, 2, 3], 2, 2), [3, 1]);
    assert_eq!(rotate(&[1, 2, 3], u64::MAX, 9).len(), 3);
    assert!(rotate::<u8>(&[], 4, 2).is_empty());
    let mut counts = [0; 5];
    for start in 0..50 {
        for item in rotate(&[0, 1, 2, 3, 4], start, 2) {
            counts[item] += 1;
        }
    }
    assert_eq!(counts, [20; 5]);
}

fn any_parties() -> impl Strategy<Value = Parties<u32>> {
    let dataset = prop::collection::vec((0u32..20, any::<u32>()), 0..6);
    (
        0u32..20,
        prop::collection::btree_set(0u32..20, 0..9),
        prop::collection::vec(dataset, 0..5),
    )
        .prop_map(|(executor, checkers, datasets)| Parties {
            executor,
            checkers: checkers.into_iter().collect(),
            pot: 90,
            datasets,
            treasury: 99,
        })
}

proptest! {
    #[test]
    fn payments_add_up_to_exactly_the_fee(
        fee in prop_oneof![0..1_000 as Balance, any::<Balance>()],
        parts in prop::array::uniform5(0..=Perbill::ACCURACY),
        parties in any_parties(),
    ) {
        // Also if the shares add up to less or more than 1.
        let [executor, checkers, holders, contributors, treasury] = parts.map(Perbill::from_parts);
        let any = FeeShares { executor, checkers, holders, contributors, treasury };
        for shares in [any, FeeShares::STANDARD] {
            let mut split = FeeSplit::default();
            let mut sum = Some(0);
            for payment in payments(fee, &shares, &parties) {
                prop_assert!(payment.amount > 0);
                split.add(payment.role, payment.amount);
                sum = sum.and_then(|sum: Balance| sum.checked_add(payment.amount));
            }
            prop_assert_eq!(sum, Some(fee));
            prop_assert_eq!(split.total(), fee);
        }
    }

    #[test]
    fn executor_receives_at_least_its_share(fee in any::<Balance>(), parties in any_parties()) {
        let paid = payments(fee, &FeeShares::STANDARD, &parties);
        let executor = paid.iter().filter(|payment| payment.role == Role::Executor);
        let amount: Balance = executor.map(|payment| payment.amount).sum();
        prop_assert!(amount >= Perbill::from_percent(50).mul_floor(fee));
    }
}
