// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Bonds, Error, Event, Unbonding};
use frame_support::{assert_noop, assert_ok};

#[test]
fn unbond_moves_an_amount_to_the_unbonding_parts() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 400));
        let bond = Bonds::<Test>::get(1).unwrap();
        assert_eq!(bond.active, 600);
        assert_eq!(
            bond.unbonding.to_vec(),
            [Unbonding {
                amount: 400,
                free_at: UNBONDING
            }]
        );
        let event = Event::Unbonding {
            who: 1,
            amount: 400,
            active: 600,
            free_at: UNBONDING,
        };
        assert_eq!(last_event(), event.into());
    });
}

#[test]
fn unbond_merges_parts_of_one_session() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 100));
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 200));
        let bond = Bonds::<Test>::get(1).unwrap();
        assert_eq!(
            bond.unbonding.to_vec(),
            [Unbonding {
                amount: 300,
                free_at: UNBONDING
            }]
        );
    });
}

#[test]
fn unbond_is_refused_when_too_little_would_remain() {
    run(|| {
        let origin = RuntimeOrigin::signed(1);
        assert_noop!(Validators::unbond(origin.clone(), 901), Error::<Test>::BondTooSmall);
        assert_noop!(Validators::unbond(origin.clone(), 1_001), Error::<Test>::BondExceeded);
        assert_noop!(Validators::unbond(origin.clone(), 0), Error::<Test>::AmountIsZero);
        assert_ok!(Validators::unbond(origin, 1_000));
    });
}

#[test]
fn unbond_is_refused_with_too_many_unbonding_parts() {
    run(|| {
        for session in 0..2 {
            go_to_session(session);
            assert_ok!(Validators::unbond(RuntimeOrigin::signed(1), 10));
        }
        go_to_session(2);
        assert_noop!(
            Validators::unbond(RuntimeOrigin::signed(1), 10),
            Error::<Test>::TooManyUnbonding
        );
    });
}

#[test]
fn validator_leaves_the_set_when_it_unbonds_everything() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(2), 1_000));
        go_to_session(1);
        assert_eq!(set(), [1, 2, 3]);
        go_to_session(2);
        assert_eq!(set(), [1, 3]);
    });
}
