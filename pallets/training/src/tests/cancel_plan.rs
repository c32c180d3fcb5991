// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    types::{Phase, PlanStatus},
    Error, Event, Plans, Running,
};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn plan_ends_at_once_when_nobody_has_trained_for_it() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        assert_noop!(Training::cancel_plan(RuntimeOrigin::signed(1), PLAN), E::NotOwner);
        assert_noop!(Training::cancel_plan(RuntimeOrigin::signed(OWNER), 5), E::UnknownPlan);
        assert_ok!(Training::cancel_plan(RuntimeOrigin::signed(OWNER), PLAN));
        assert!(emitted(Event::PlanCancelled {
            plan: PLAN,
            released: 2 * REWARD
        }));
        assert_eq!(Balances::free_balance(OWNER), FUNDS);
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().status, PlanStatus::Cancelled);
        assert_noop!(
            Training::cancel_plan(RuntimeOrigin::signed(OWNER), PLAN),
            E::UnknownPlan
        );
        // There is room for another.
        assert_ok!(Draft::default().create(OWNER));
    });
}

#[test]
fn workers_are_paid_when_a_plan_is_cancelled_while_they_train() {
    test(4, || {
        assert_ok!(Draft {
            rounds: 5,
            ..Draft::default()
        }
        .create(OWNER));
        enrol_all();
        wait_for(Phase::Train);
        assert_ok!(Training::cancel_plan(RuntimeOrigin::signed(OWNER), PLAN));
        assert!(emitted(Event::PlanStopping { plan: PLAN }));
        assert_noop!(
            Training::cancel_plan(RuntimeOrigin::signed(OWNER), PLAN),
            E::PlanStopping
        );
        train_without(&[]);
        audit_all(&[]);
        score_and_aggregate();
        assert!(emitted(Event::PlanCancelled {
            plan: PLAN,
            released: 4 * REWARD
        }));
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().paid, REWARD);
        assert_eq!(Balances::free_balance(OWNER), FUNDS - REWARD);
        assert!(Running::<Test>::get().is_empty());
    });
}
