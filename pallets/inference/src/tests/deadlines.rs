// SPDX-License-Identifier: Apache-2.0
//! Reassignment of requests whose deadline has expired.

use crate::{
    mock::*,
    request::{ReassignReason, RequestStatus},
    Deadlines, Error, Event, OpenJobs, Overdue,
};
use frame_support::assert_ok;

type E = Error<Test>;

#[test]
fn request_is_reassigned_when_its_deadline_expires() {
    run_test(4, || {
        let request = request();
        let from = executor(request);
        let late = claim_message(request);
        run_to_block(ANSWER_PERIOD);
        assert_eq!(executor(request), from);
        run_to_block(1 + ANSWER_PERIOD);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: ReassignReason::Late
        }));
        assert_eq!(record(request).attempt(), 1);
        // The job is the same, but the first executor can no longer claim it.
        assert_eq!(record(request).job, late.job);
        assert_eq!(submit_message(late), refused(E::NotExecutor));
        assert_eq!(on_hold(USER), FEE);
        assert_ok!(claim(request));
        confirm(request);
        assert_eq!(executor(request), to);
    });
}

#[test]
fn request_is_refunded_in_full_when_the_maximum_number_of_executors_failed() {
    run_test(9, || {
        let request = request();
        run_to_block(1 + 3 * ANSWER_PERIOD - 1);
        assert_eq!(record(request).attempt(), 2);
        assert_eq!(on_hold(USER), FEE);
        run_to_block(1 + 3 * ANSWER_PERIOD);
        assert_eq!(record(request).status, RequestStatus::Refunded);
        assert!(emitted(Event::Refunded { request, amount: FEE }));
        assert_eq!(on_hold(USER), 0);
        assert_eq!(Balances::free_balance(USER), FUNDS);
        assert_eq!(OpenJobs::<Test>::count(), 0);
        let failed = record(request).failed;
        let distinct: std::collections::BTreeSet<_> = failed.iter().collect();
        assert_eq!(distinct.len(), 3);
    });
}

#[test]
fn request_is_refunded_in_full_when_all_members_failed() {
    run_test(2, || {
        let request = request();
        run_to_block(1 + 2 * ANSWER_PERIOD);
        assert_eq!(record(request).status, RequestStatus::Refunded);
        assert_eq!(Balances::free_balance(USER), FUNDS);
    });
}

#[test]
fn request_is_refunded_when_no_member_could_check_a_claim() {
    run_test(4, || {
        let request = request();
        let from = executor(request);
        Members::mutate(|members| members.retain(|member| member.account == from % 4 + 1));
        run_to_block(1 + ANSWER_PERIOD);
        assert_eq!(record(request).status, RequestStatus::Refunded);
    });
}

#[test]
fn claimed_request_has_no_deadline() {
    run_test(4, || {
        let request = request();
        run_to_block(ANSWER_PERIOD);
        assert_ok!(claim(request));
        run_to_block(5 * ANSWER_PERIOD);
        assert!(matches!(record(request).status, RequestStatus::Claimed { .. }));
        assert_eq!(Deadlines::<Test>::iter().count(), 0);
    });
}

#[test]
fn overdue_requests_are_postponed_when_they_exceed_the_limit_per_block() {
    run_test(4, || {
        for _ in 0..MAX_OPEN_REQUESTS {
            request();
        }
        let attempts = || -> u32 { (0..MAX_OPEN_REQUESTS.into()).map(|r| record(r).attempt()).sum() };
        run_to_block(1 + ANSWER_PERIOD);
        assert_eq!(attempts(), 2);
        assert_eq!(Overdue::<Test>::get().to_vec(), [2, 3, 4]);
        Inference::do_try_state().unwrap();
        // A request that has not been reassigned yet can still be claimed.
        assert_ok!(claim(3));
        assert_eq!(Overdue::<Test>::get().to_vec(), [2, 4]);
        Inference::do_try_state().unwrap();
        run_to_block(2 + ANSWER_PERIOD);
        assert_eq!(attempts(), 4);
        assert!(Overdue::<Test>::get().is_empty());
        confirm(3);
    });
}
