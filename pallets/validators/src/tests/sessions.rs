// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Members};
use agorai_primitives::COMMITTEE_KEY_TYPE;
use frame_support::{assert_noop, assert_ok, traits::KeyOwnerProofSystem};

#[test]
fn set_is_the_largest_bonds() {
    run(|| {
        assert_ok!(Validators::bond(RuntimeOrigin::signed(6), 1_001));
        assert_ok!(Validators::bond(RuntimeOrigin::signed(5), 999));
        go_to_session(2);
        assert_eq!(set(), [1, 2, 3, 6]);
        assert_eq!(Members::<Test>::get().len(), 4);
    });
}

#[test]
fn candidate_without_session_keys_is_not_selected() {
    run(|| {
        assert_ok!(Session::purge_keys(RuntimeOrigin::signed(3)));
        assert_ok!(Validators::bond(RuntimeOrigin::signed(4), 500));
        go_to_session(2);
        assert_eq!(set(), [1, 2, 4]);
    });
}

#[test]
fn set_continues_without_a_candidate() {
    run(|| {
        for who in 1..4 {
            assert_ok!(Validators::chill(RuntimeOrigin::signed(who)));
        }
        go_to_session(3);
        assert_eq!(set(), [1, 2, 3]);
    });
}

#[test]
fn set_is_not_announced_as_new_when_nothing_changes() {
    run(|| {
        go_to_session(2);
        System::reset_events();
        assert_ok!(Validators::bond_extra(RuntimeOrigin::signed(3), 5));
        go_to_session(4);
        let queued = pallet_session::Event::<Test>::NewQueued.into();
        assert!(!System::events().iter().any(|record| record.event == queued));
    });
}

#[test]
fn second_registration_of_a_key_is_refused() {
    run(|| {
        assert_noop!(
            <Session as pallet_session::SessionInterface>::set_keys(&5, keys(1)),
            pallet_session::Error::<Test>::DuplicatedKey
        );
    });
}

#[test]
fn old_key_is_proved_for_its_session_until_the_reporting_window_ends() {
    run(|| {
        go_to_session(1);
        let owned = (COMMITTEE_KEY_TYPE, key(1));
        let proof = Historical::prove(owned.clone()).unwrap();
        let new = SessionKeys { cmte: key(99) };
        assert_ok!(<Session as pallet_session::SessionInterface>::set_keys(&1, new));
        go_to_session(1 + REPORTING);
        assert_eq!(Historical::check_proof(owned.clone(), proof.clone()), Some((1, ())));
        go_to_session(2 + REPORTING);
        assert_eq!(Historical::check_proof(owned, proof), None);
    });
}
