// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn income_is_paid_in_proportion_to_shares() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, CHARLIE, 333));
        let (alice, charlie) = (Balances::free_balance(ALICE), Balances::free_balance(CHARLIE));
        earn(1);
        // Less than one planck for each holder.
        assert_noop!(Models::collect(signed(CHARLIE), 0), E::NothingToCollect);
        earn(999);
        assert_ok!(Models::collect(signed(ALICE), 0));
        System::assert_last_event(
            Event::Collected {
                model: 0,
                who: ALICE,
                amount: 667,
            }
            .into(),
        );
        assert_ok!(Models::collect(signed(CHARLIE), 0));
        assert_eq!(Balances::free_balance(ALICE), alice + 667);
        assert_eq!(Balances::free_balance(CHARLIE), charlie + 333);
        assert_eq!(Balances::free_balance(Models::pot_of(0)), EXISTENTIAL);
        assert_noop!(Models::collect(signed(ALICE), 0), E::NothingToCollect);
    });
}

#[test]
fn collection_is_refused_when_no_income_is_owed() {
    run_test(|| {
        assert_noop!(Models::collect(signed(ALICE), 0), E::UnknownModel);
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_noop!(Models::collect(signed(BOB), 0), E::NothingToCollect);
        earn(1_000);
        assert_noop!(Models::collect(signed(BOB), 0), E::NothingToCollect);
    });
}
