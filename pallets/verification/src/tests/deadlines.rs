// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, Claims, Due, Event};
use agorai_primitives::traits::{ClaimVerifier as _, CommitteeRule, JobKind, Verdict};
use frame_support::assert_ok;
use sp_core::H256;

const THREE: CommitteeRule = CommitteeRule::Drawn { size: 3 };

#[test]
fn claim_is_widened_once_when_its_committee_does_not_answer_and_then_settles() {
    test(9, || {
        assert_ok!(open(truth(), THREE));
        run_to(4);
        let committee = assigned();
        assert_ok!(answer(committee[0], agree(committee[0], truth())));
        run_to(4 + CHECK - 1);
        assert_eq!(assigned(), committee);
        run_to(4 + CHECK);
        assert!(emitted(Event::DutyMissed {
            job: JOB,
            members: committee[1..].to_vec()
        }));
        assert!(emitted(Event::Widened { job: JOB }));
        assert_eq!(assigned().len(), 8);
        // Earlier answers remain valid; the other members can still answer.
        for member in assigned().into_iter().filter(|member| *member != committee[0]) {
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_ok!(reveal(EXECUTOR, truth().secret));
        assert!(matches!(Verdicts::get()[..], [(_, _, Verdict::Settled { .. })]));
        assert!(Slashes::get().is_empty());
        assert_eq!(Due::<Test>::iter().count(), 0);
    });
}

#[test]
fn claim_is_unresolved_when_no_member_answers() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        run_to(1 + CHECK + WIDENED);
        assert_eq!(Verdicts::get(), [(JobKind::Inference, JOB, Verdict::Unresolved)]);
        assert!(emitted(Event::ClaimUnresolved { job: JOB }));
        assert!(Slashes::get().is_empty());
        assert_eq!(Claims::<Test>::count(), 0);
    });
}

#[test]
fn early_widening_replaces_the_deadline() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        run_to(5);
        assert_ok!(answer(2, differ(lie())));
        run_to(5 + WIDENED - 1);
        assert!(Verdicts::get().is_empty());
        run_to(5 + WIDENED);
        assert_eq!(Verdicts::get().len(), 1);
    });
}

#[test]
fn due_claims_beyond_the_limit_of_a_block_are_processed_in_the_next() {
    test(4, || {
        for job in 0..8 {
            let (job, claim) = (H256::from_low_u64_be(job), truth().claim());
            let rule = CommitteeRule::Everyone;
            assert_ok!(Verification::open(JobKind::Score, job, &EXECUTOR, claim, rule));
        }
        run_to(1 + WIDENED);
        assert_eq!(Verdicts::get().len(), 3);
        Verification::do_try_state().unwrap();
        run_to(2 + WIDENED);
        assert_eq!(Verdicts::get().len(), 6);
        run_to(3 + WIDENED);
        assert_eq!(Verdicts::get().len(), 8);
    });
}
