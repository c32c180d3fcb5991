// SPDX-License-Identifier: Apache-2.0
use crate::{dataset::DatasetStatus, mock::*, Datasets as Records, Error, Event, HoldReason};
use agorai_primitives::traits::DatasetRegistry as _;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};

type E = Error<Test>;

#[test]
fn record_and_contributors_remain_when_a_dataset_is_withdrawn() {
    run_test(|| {
        assert_ok!(PublishCall::default().dispatch(ALICE));
        let held = Balances::balance_on_hold(&HoldReason::Record.into(), &ALICE);
        assert_ok!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0));
        System::assert_last_event(Event::Withdrawn { dataset: 0 }.into());
        assert_eq!(Records::<Test>::get(0).unwrap().status, DatasetStatus::Withdrawn);
        assert_eq!(Datasets::usable_shards(0), Err(E::DatasetWithdrawn.into()));
        assert_eq!(Datasets::contributors(0).len(), 2);
        assert_eq!(Balances::balance_on_hold(&HoldReason::Record.into(), &ALICE), held);
    });
}

#[test]
fn withdrawal_is_refused_when_the_caller_is_not_the_owner_or_the_dataset_is_withdrawn() {
    run_test(|| {
        assert_ok!(PublishCall::default().dispatch(ALICE));
        assert_noop!(Datasets::withdraw(RuntimeOrigin::signed(BOB), 0), E::NotOwner);
        assert_noop!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 4), E::UnknownDataset);
        assert_ok!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0));
        assert_noop!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0), E::DatasetWithdrawn);
        assert_eq!(Datasets::usable_shards(9), Err(E::UnknownDataset.into()));
    });
}
