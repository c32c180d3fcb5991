// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Bond, Bonds, Error, Event, HoldReason};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};

#[test]
fn bond_holds_the_tokens_and_makes_a_candidate() {
    run(|| {
        assert_ok!(Validators::bond(RuntimeOrigin::signed(5), 300));
        assert_eq!(Bonds::<Test>::get(5), Some(Bond::new(300)));
        assert_eq!(Balances::balance_on_hold(&HoldReason::Bond.into(), &5), 300);
        assert_eq!(last_event(), Event::Bonded { who: 5, amount: 300 }.into());
    });
}

#[test]
fn bond_is_refused_when_it_is_too_small() {
    run(|| {
        let small = Validators::bond(RuntimeOrigin::signed(5), MIN_BOND - 1);
        assert_eq!(small, Err(Error::<Test>::BondTooSmall.into()));
    });
}

#[test]
fn bond_is_refused_when_the_account_has_one() {
    run(|| {
        assert_noop!(
            Validators::bond(RuntimeOrigin::signed(1), 300),
            Error::<Test>::AlreadyBonded
        );
    });
}

#[test]
fn bond_is_refused_without_funds() {
    run(|| {
        assert_noop!(
            Validators::bond(RuntimeOrigin::signed(5), 10_000),
            sp_runtime::TokenError::FundsUnavailable
        );
        assert_noop!(
            Validators::bond(RuntimeOrigin::signed(77), 300),
            sp_runtime::TokenError::FundsUnavailable
        );
    });
}

#[test]
fn bond_is_refused_when_there_are_too_many() {
    run(|| {
        for who in 4..7 {
            assert_ok!(Validators::bond(RuntimeOrigin::signed(who), 300));
        }
        assert_noop!(
            Validators::bond(RuntimeOrigin::signed(7), 300),
            Error::<Test>::TooManyBonds
        );
    });
}
