// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, shares::SharesError, Error, Event, Ledgers, Shares};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn sender_keeps_the_income_of_transferred_shares() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
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
        // ALICE has neither shares nor income: its holding is removed.
        assert!(!Shares::<Test>::contains_key(0, ALICE));
        assert_eq!(Ledgers::<Test>::get(0).holders, 1);
    });
}

#[test]
fn transfer_is_refused_when_an_argument_is_invalid_or_a_limit_is_exceeded() {
    run_test(|| {
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, BOB, 1), E::UnknownModel);
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, BOB, 0), E::AmountIsZero);
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, ALICE, 1), E::SameAccount);
        assert_noop!(
            Models::transfer_shares(signed(ALICE), 0, BOB, 1_001),
            E::Shares(SharesError::TooFewShares)
        );
        assert_noop!(
            Models::transfer_shares(signed(BOB), 0, ALICE, 1),
            E::Shares(SharesError::TooFewShares)
        );
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, BOB, 1));
        assert_ok!(Models::transfer_shares(signed(ALICE), 0, CHARLIE, 1));
        assert_noop!(Models::transfer_shares(signed(ALICE), 0, DAVE, 1), E::TooManyHolders);
        // A transfer of all shares removes the sender's holding first and so stays within the limit.
        assert_ok!(Models::transfer_shares(signed(BOB), 0, DAVE, 1));
        assert!(!Shares::<Test>::contains_key(0, BOB));
    });
}
