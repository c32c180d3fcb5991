// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Bonds, Error, Event, HoldReason};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};

#[test]
fn withdraw_unbonded_releases_unbonded_parts_and_removes_an_empty_bond() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 400));
        go_to_session(1);
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 600));
        go_to_session(UNBONDING);
        assert_ok!(Validators::withdraw_unbonded(RuntimeOrigin::signed(1)));
        assert_eq!(
            last_event(),
            Event::Withdrawn {
                who: 1,
                amount: 400,
                remaining: 600
            }
            .into()
        );
        go_to_session(UNBONDING + 1);
        assert_ok!(Validators::withdraw_unbonded(RuntimeOrigin::signed(1)));
        assert_eq!(Bonds::<Test>::get(1), None);
        assert_eq!(Balances::balance_on_hold(&HoldReason::Bond.into(), &1), 0);
        assert_eq!(Balances::free_balance(1), 10_000);
    });
}

#[test]
fn withdraw_unbonded_is_refused_before_the_unbonding_period_has_ended() {
    run(|| {
        assert_noop!(
            Validators::withdraw_unbonded(RuntimeOrigin::signed(1)),
            Error::<Test>::NothingToWithdraw
        );
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 400));
        go_to_session(UNBONDING - 1);
        assert_noop!(
            Validators::withdraw_unbonded(RuntimeOrigin::signed(1)),
            Error::<Test>::NothingToWithdraw
        );
        assert_noop!(
            Validators::withdraw_unbonded(RuntimeOrigin::signed(5)),
            Error::<Test>::NotBonded
        );
    });
}
