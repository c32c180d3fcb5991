// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event, Ledgers, Shares};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn what_shares_have_earned_stays_with_the_giver() {
    chain(|| {
        assert_ok!(Draft::default().create(ALICE));
        earn(4_000);
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, BOB, 1_000));
        System::assert_last_event(
            Event::SharesTransferred {
                model: 0,
                from: ALICE,
                to: BOB,
                amount: 1_000,
            }
            .into(),
        );
        assert_eq!(Ledgers::<Test>::get(0).holders, 2);
        assert_ok!(Models::collect(signed(ALICE), 0));
        assert_noop!(Models::collect(signed(BOB), 0), E::NothingToCollect);
        // Paid out and without shares, ALICE is forgotten.
        assert!(!Shares::<Test>::contains_key(0, ALICE));
        assert_eq!(Ledgers::<Test>::get(0).holders, 1);
    });
}

#[test]
fn transfer_is_refused_when_it_makes_no_sense() {
    chain(|| {
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, BOB, 1), E::UnknownModel);
        assert_ok!(Draft::default().create(ALICE));
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, BOB, 0), E::AmountIsZero);
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, ALICE, 1), E::SameAccount);
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, BOB, 1_001), E::TooFewShares);
        assert_noop!(Models::transfer_shares(signed(BOB), 0, ALICE, 1), E::TooFewShares);
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, BOB, 1));
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, CHARLIE, 1));
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, DAVE, 1), E::TooManyHolders);
        // A holder that gives everything away makes room only for others, not for its receiver.
        assert_ok!(Models::transfer_shares(signed(BOB), 0, DAVE, 1));
        assert!(!Shares::<Test>::contains_key(0, BOB));
    });
}
