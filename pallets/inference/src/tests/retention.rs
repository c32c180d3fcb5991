// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, Finished, FinishedPlaces, Requests};
use frame_support::assert_ok;

fn settle_one() -> u64 {
    let request = Draft::default().ask();
    assert_ok!(claim(request));
    confirm(request);
    request
}

#[test]
fn finished_request_is_forgotten_after_its_time() {
    test(4, || {
        let request = settle_one();
        run_to(RETAIN);
        assert!(Requests::<Test>::contains_key(request));
        run_to(1 + RETAIN);
        assert!(!Requests::<Test>::contains_key(request));
        assert_eq!(Inference::job_of(request), None);
        assert_eq!(Finished::<Test>::iter().count(), 0);
        assert_eq!(FinishedPlaces::<Test>::get(), (1, 1));
    });
}

#[test]
fn refunded_request_is_forgotten_too() {
    test(2, || {
        let request = Draft::default().ask();
        run_to(1 + 2 * ANSWER);
        assert!(Requests::<Test>::contains_key(request));
        run_to(1 + 2 * ANSWER + RETAIN);
        assert!(!Requests::<Test>::contains_key(request));
    });
}

#[test]
fn open_request_is_kept() {
    test(4, || {
        let request = Draft::default().ask();
        assert_ok!(claim(request));
        run_to(3 * RETAIN);
        assert!(Requests::<Test>::contains_key(request));
    });
}

#[test]
fn block_forgets_only_so_many() {
    test(4, || {
        for _ in 0..OPEN {
            settle_one();
        }
        let kept = || Requests::<Test>::iter().count();
        for left in [3, 1, 0] {
            let now = System::block_number();
            run_to((1 + RETAIN).max(now + 1));
            assert_eq!(kept(), left);
            Inference::do_try_state().unwrap();
        }
    });
}
