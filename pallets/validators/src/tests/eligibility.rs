// SPDX-License-Identifier: Apache-2.0
use crate::mock::*;
use agorai_primitives::traits::{Fault, Member, SessionMembers, Slash};
use frame_support::assert_ok;
use sp_runtime::Perbill;

fn eligible() -> Vec<AccountId> {
    Validators::members().into_iter().map(|member| member.account).collect()
}

#[test]
fn members_are_the_session_set_with_bond_and_key() {
    run(|| {
        assert_eq!(<Validators as SessionMembers<_>>::session(), 0);
        assert_eq!(eligible(), [1, 2, 3]);
        assert_ok!(Validators::bond_extra(RuntimeOrigin::signed(2), 7));
        let member = Member {
            account: 2,
            key: key(2),
            bond: 1_007,
        };
        assert_eq!(Validators::member(&2), Some(member));
        assert_eq!(Validators::member(&5), None);
    });
}

#[test]
fn candidate_is_not_eligible_before_its_session_begins() {
    run(|| {
        assert_ok!(Validators::bond(RuntimeOrigin::signed(4), 2_000));
        assert_eq!(eligible(), [1, 2, 3]);
        go_to_session(2);
        assert_eq!(eligible(), [1, 2, 3, 4]);
    });
}

#[test]
fn member_is_not_eligible_once_it_is_chilled_slashed_or_unbonded() {
    run(|| {
        assert_ok!(Validators::chill(RuntimeOrigin::signed(1)));
        assert_eq!(eligible(), [2, 3]);
        Validators::slash(&2, Perbill::from_percent(1), Fault::WrongDispute);
        assert_eq!(eligible(), [3]);
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(3), 1_000));
        assert_eq!(eligible(), [0u64; 0]);
    });
}

#[test]
fn member_signs_with_its_old_key_until_the_new_one_is_in_the_session() {
    run(|| {
        let new = SessionKeys { cmte: key(99) };
        assert_ok!(<Session as pallet_session::SessionInterface>::set_keys(&1, new));
        go_to_session(1);
        assert_eq!(Validators::member(&1).unwrap().key, key(1));
        go_to_session(2);
        assert_eq!(Validators::member(&1).unwrap().key, key(99));
    });
}
