// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Bonds, Error, Event};
use frame_support::{assert_noop, assert_ok};

#[test]
fn bond_extra_raises_the_bond() {
    run(|| {
        assert_ok!(Validators::bond_extra(RuntimeOrigin::signed(1), 50));
        assert_eq!(Bonds::<Test>::get(1).unwrap().active, 1_050);
        let raised = Event::BondRaised {
            who: 1,
            amount: 50,
            active: 1_050,
        };
        assert_eq!(last_event(), raised.into());
    });
}

#[test]
fn bond_extra_is_refused_without_a_bond() {
    run(|| {
        assert_noop!(
            Validators::bond_extra(RuntimeOrigin::signed(5), 500),
            Error::<Test>::NotBonded
        );
    });
}

#[test]
fn bond_extra_is_refused_when_it_is_zero_or_too_large() {
    run(|| {
        let origin = RuntimeOrigin::signed(1);
        assert_noop!(Validators::bond_extra(origin.clone(), 0), Error::<Test>::AmountIsZero);
        assert_noop!(
            Validators::bond_extra(origin.clone(), u128::MAX),
            sp_runtime::ArithmeticError::Overflow
        );
        assert_noop!(
            Validators::bond_extra(origin, 100_000),
            sp_runtime::TokenError::FundsUnavailable
        );
    });
}
