// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, BondStatus, Bonds, Event, Punished, SlashCause};
use agorai_primitives::traits::{Fault, Slash};
use frame_support::assert_ok;
use sp_runtime::Perbill;
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

fn offence(who: AccountId, percent: u32, session: u32) {
    let details = OffenceDetails {
        offender: (who, ()),
        reporters: Vec::new(),
    };
    Validators::on_offence(&[details], &[Perbill::from_percent(percent)], session);
}

fn active(who: AccountId) -> u128 {
    Bonds::<Test>::get(who).unwrap().active
}

#[test]
fn job_slash_moves_a_fraction_of_the_bond_to_the_treasury_and_chills() {
    run(|| {
        go_to_session(1);
        System::reset_events();
        let fault = Fault::WrongClaim;
        assert_eq!(Validators::slash(&2, Perbill::from_percent(25), fault), 250);
        assert_eq!(active(2), 750);
        assert_eq!(Balances::free_balance(TREASURY), 250);
        let until = 1 + CHILL;
        assert_eq!(Bonds::<Test>::get(2).unwrap().status, BondStatus::Chilled { until });
        let cause = SlashCause::Job { fault };
        System::assert_has_event(
            Event::Slashed {
                who: 2,
                amount: 250,
                remaining: 750,
                cause,
            }
            .into(),
        );
        assert_eq!(last_event(), Event::Chilled { who: 2, until }.into());
        go_to_session(3);
        assert_eq!(set(), [1, 3]);
    });
}

#[test]
fn slash_includes_unbonding_parts() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(2), 600));
        assert_eq!(Validators::slash(&2, Perbill::from_percent(50), Fault::WrongClaim), 500);
        assert_eq!(Bonds::<Test>::get(2).unwrap().total(), 500);
    });
}

#[test]
fn slash_of_an_account_without_bond_is_zero() {
    run(|| {
        assert_eq!(Validators::slash(&5, Perbill::one(), Fault::WrongClaim), 0);
        assert_eq!(Bonds::<Test>::get(5), None);
    });
}

#[test]
fn fully_slashed_bond_is_removed_only_after_the_chill() {
    run(|| {
        assert_eq!(Validators::slash(&2, Perbill::one(), Fault::WrongClaim), 1_000);
        let withdraw = || Validators::withdraw_unbonded(RuntimeOrigin::signed(2));
        assert_eq!(withdraw(), Err(crate::Error::<Test>::NothingToWithdraw.into()));
        go_to_session(CHILL);
        assert_ok!(withdraw());
        assert_eq!(Bonds::<Test>::get(2), None);
    });
}

#[test]
fn offence_is_slashed_once_and_its_excess_later() {
    run(|| {
        go_to_session(2);
        offence(2, 10, 1);
        assert_eq!(active(2), 900);
        offence(2, 10, 1);
        offence(2, 5, 1);
        assert_eq!(active(2), 900);
        offence(2, 30, 1);
        assert_eq!(active(2), 700);
        offence(2, 10, 2);
        assert_eq!(active(2), 630);
        assert_eq!(Balances::free_balance(TREASURY), 370);
    });
}

#[test]
fn offender_is_disabled_in_its_session_and_out_of_the_next_set() {
    run(|| {
        assert_ok!(Validators::bond(RuntimeOrigin::signed(4), 1_000));
        go_to_session(2);
        assert_eq!(set(), [1, 2, 3, 4]);
        offence(2, 10, 2);
        assert_eq!(Session::disabled_validators(), [1]);
        go_to_session(4);
        assert_eq!(set(), [1, 3, 4]);
        assert!(Session::disabled_validators().is_empty());
    });
}

#[test]
fn offence_is_ignored_after_the_reporting_window() {
    run(|| {
        go_to_session(2 + REPORTING);
        offence(2, 100, 1);
        assert_eq!(active(2), 1_000);
        offence(2, 100, 2);
        assert_eq!(active(2), 0);
    });
}

#[test]
fn offence_in_the_last_session_of_a_leaving_validator_is_still_slashed() {
    run(|| {
        assert_ok!(Validators::unbond(RuntimeOrigin::signed(2), 1_000));
        // The last session of the validator is 1, and the last session of its reporting window 1 + REPORTING.
        go_to_session(1 + REPORTING);
        assert!(Validators::withdraw_unbonded(RuntimeOrigin::signed(2)).is_err());
        offence(2, 100, 1);
        assert_eq!(Balances::free_balance(TREASURY), 1_000);
    });
}

#[test]
fn punishments_are_removed_after_the_reporting_window() {
    run(|| {
        go_to_session(1);
        offence(2, 10, 1);
        go_to_session(1 + REPORTING);
        assert!(Punished::<Test>::contains_key(1, 2));
        go_to_session(2 + REPORTING);
        assert!(!Punished::<Test>::contains_key(1, 2));
    });
}
