// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event};
use agorai_primitives::traits::{Fault, Slash};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::Perbill;

#[test]
fn rejoin_makes_a_candidate_again() {
    run(|| {
        assert_ok!(Validators::chill(RuntimeOrigin::signed(3)));
        go_to_session(2);
        assert_eq!(set(), [1, 2]);
        assert_ok!(Validators::rejoin(RuntimeOrigin::signed(3)));
        assert_eq!(last_event(), Event::Rejoined { who: 3 }.into());
        go_to_session(4);
        assert_eq!(set(), [1, 2, 3]);
    });
}

#[test]
fn rejoin_is_refused_when_the_caller_is_not_chilled() {
    run(|| {
        assert_noop!(Validators::rejoin(RuntimeOrigin::signed(1)), Error::<Test>::NotChilled);
        assert_noop!(Validators::rejoin(RuntimeOrigin::signed(5)), Error::<Test>::NotBonded);
    });
}

#[test]
fn rejoin_is_refused_until_the_chill_of_a_slash_is_over() {
    run(|| {
        Validators::slash(&3, Perbill::from_percent(10), Fault::WrongClaim);
        go_to_session(CHILL - 1);
        assert_noop!(
            Validators::rejoin(RuntimeOrigin::signed(3)),
            Error::<Test>::ChillNotOver
        );
        go_to_session(CHILL);
        assert_ok!(Validators::rejoin(RuntimeOrigin::signed(3)));
    });
}

#[test]
fn rejoin_is_refused_when_the_bond_became_too_small() {
    run(|| {
        Validators::slash(&3, Perbill::from_percent(95), Fault::WrongClaim);
        go_to_session(CHILL);
        assert_noop!(
            Validators::rejoin(RuntimeOrigin::signed(3)),
            Error::<Test>::BondTooSmall
        );
        assert_ok!(Validators::bond_extra(RuntimeOrigin::signed(3), 50));
        assert_ok!(Validators::rejoin(RuntimeOrigin::signed(3)));
    });
}
