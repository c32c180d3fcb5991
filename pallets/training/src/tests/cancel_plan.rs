// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, plan::PlanStatus, round::Phase, Error, Event, Plans, RunningPlans};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn plan_ends_now_when_it_is_cancelled_in_phase_enrol() {
    run_test(4, || {
        create_plan();
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
        // The model can have another plan.
        create_plan();
    });
}

#[test]
fn plan_ends_with_its_current_round_when_it_is_cancelled_in_phase_train() {
    run_test(4, || {
        assert_ok!(CreatePlanCall {
            rounds: 5,
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
        enrol_all();
        run_to_phase(Phase::Train);
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
        assert!(RunningPlans::<Test>::get().is_empty());
    });
}
