// SPDX-License-Identifier: Apache-2.0
//! The removal of finished requests.

use crate::{mock::*, Finished, FinishedRange, Requests};
use frame_support::assert_ok;

fn settled_request() -> u64 {
    let request = request();
    assert_ok!(claim(request));
    confirm(request);
    request
}

#[test]
fn finished_request_is_removed_when_its_retention_expires() {
    run_test(4, || {
        let request = settled_request();
        run_to_block(RETAIN_PERIOD);
        assert!(Requests::<Test>::contains_key(request));
        run_to_block(1 + RETAIN_PERIOD);
        assert!(!Requests::<Test>::contains_key(request));
        assert_eq!(Inference::job_of(request), None);
        assert_eq!(Finished::<Test>::iter().count(), 0);
        assert_eq!(FinishedRange::<Test>::get(), (1, 1));
    });
}

#[test]
fn refunded_request_is_removed_when_its_retention_expires() {
    run_test(2, || {
        let request = request();
        run_to_block(1 + 2 * ANSWER_PERIOD);
        assert!(Requests::<Test>::contains_key(request));
        run_to_block(1 + 2 * ANSWER_PERIOD + RETAIN_PERIOD);
        assert!(!Requests::<Test>::contains_key(request));
    });
}

#[test]
fn open_request_is_not_removed() {
    run_test(4, || {
        let request = request();
        assert_ok!(claim(request));
        run_to_block(3 * RETAIN_PERIOD);
        assert!(Requests::<Test>::contains_key(request));
    });
}

#[test]
fn removal_is_postponed_when_requests_exceed_the_limit_per_block() {
    run_test(4, || {
        for _ in 0..MAX_OPEN_REQUESTS {
            settled_request();
        }
        let stored = || Requests::<Test>::iter().count();
        for remaining in [3, 1, 0] {
            let now = System::block_number();
            run_to_block((1 + RETAIN_PERIOD).max(now + 1));
            assert_eq!(stored(), remaining);
            Inference::do_try_state().unwrap();
        }
    });
}
