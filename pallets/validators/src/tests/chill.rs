// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};

#[test]
fn chill_takes_the_caller_out_of_the_next_set() {
    run(|| {
        go_to_session(1);
        assert_ok!(Validators::chill(RuntimeOrigin::signed(3)));
        assert_eq!(last_event(), Event::Chilled { who: 3, until: 1 }.into());
        go_to_session(3);
        assert_eq!(set(), [1, 2]);
    });
}

#[test]
fn chill_is_refused_twice_and_without_a_bond() {
    run(|| {
        assert_ok!(Validators::chill(RuntimeOrigin::signed(3)));
        assert_noop!(
            Validators::chill(RuntimeOrigin::signed(3)),
            Error::<Test>::AlreadyChilled
        );
        assert_noop!(Validators::chill(RuntimeOrigin::signed(5)), Error::<Test>::NotBonded);
    });
}
