// SPDX-License-Identifier: Apache-2.0

use crate::{
    mock::*,
    types::{ClaimRefusal, Reason, RequestStatus},
    Deadlines, Event, OpenJobs, Overdue,
};
use frame_support::assert_ok;

#[test]
fn request_goes_to_another_member_when_its_executor_is_silent() {
    test(4, || {
        let request = Draft::default().ask();
        let from = executor(request);
        let late = claim_message(request);
        run_to(ANSWER);
        assert_eq!(executor(request), from);
        run_to(1 + ANSWER);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: Reason::Late
        }));
        assert_eq!(record(request).attempt(), 1);
        // The job is the same, and its first executor has lost its turn.
        assert_eq!(record(request).job, late.job);
        assert_eq!(submit_message(late), refused(ClaimRefusal::NotExecutor));
        assert_eq!(on_hold(USER), FEE);
        assert_ok!(claim(request));
        confirm(request);
        assert_eq!(executor(request), to);
    });
}

#[test]
fn request_is_refunded_in_full_when_as_many_have_failed_as_may_try() {
    test(9, || {
        let request = Draft::default().ask();
        run_to(1 + 3 * ANSWER - 1);
        assert_eq!(record(request).attempt(), 2);
        assert_eq!(on_hold(USER), FEE);
        run_to(1 + 3 * ANSWER);
        assert_eq!(record(request).status, RequestStatus::Refunded);
        assert!(emitted(Event::Refunded { request, amount: FEE }));
        assert_eq!(on_hold(USER), 0);
        assert_eq!(Balances::free_balance(USER), FUNDS);
        assert_eq!(OpenJobs::<Test>::count(), 0);
        let failed = record(request).failed;
        let different: std::collections::BTreeSet<_> = failed.iter().collect();
        assert_eq!(different.len(), 3);
    });
}

#[test]
fn request_is_refunded_in_full_when_no_member_is_left() {
    test(2, || {
        let request = Draft::default().ask();
        run_to(1 + 2 * ANSWER);
        assert_eq!(record(request).status, RequestStatus::Refunded);
        assert_eq!(Balances::free_balance(USER), FUNDS);
    });
}

#[test]
fn request_is_refunded_when_the_last_checker_has_gone() {
    test(4, || {
        let request = Draft::default().ask();
        let from = executor(request);
        Set::mutate(|members| members.retain(|member| member.account == from % 4 + 1));
        run_to(1 + ANSWER);
        assert_eq!(record(request).status, RequestStatus::Refunded);
    });
}

#[test]
fn claimed_request_has_no_deadline() {
    test(4, || {
        let request = Draft::default().ask();
        run_to(ANSWER);
        assert_ok!(claim(request));
        run_to(5 * ANSWER);
        assert!(matches!(record(request).status, RequestStatus::Claimed { .. }));
        assert_eq!(Deadlines::<Test>::iter().count(), 0);
    });
}

#[test]
fn late_requests_wait_for_the_next_block_when_there_are_too_many() {
    test(4, || {
        for _ in 0..OPEN {
            Draft::default().ask();
        }
        let attempts = || -> u32 { (0..OPEN.into()).map(|r| record(r).attempt()).sum() };
        run_to(1 + ANSWER);
        assert_eq!(attempts(), 2);
        assert_eq!(Overdue::<Test>::get().to_vec(), [2, 3, 4]);
        Inference::do_try_state().unwrap();
        // Who has not been passed on yet can still be answered.
        assert_ok!(claim(3));
        assert_eq!(Overdue::<Test>::get().to_vec(), [2, 4]);
        Inference::do_try_state().unwrap();
        run_to(2 + ANSWER);
        assert_eq!(attempts(), 4);
        assert!(Overdue::<Test>::get().is_empty());
        confirm(3);
    });
}
