// SPDX-License-Identifier: Apache-2.0

use crate::{claim::ClaimRefusal, mock::*, Claims, Event};
use agorai_primitives::traits::{ClaimVerifier as _, CommitteeRule, JobKind};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

const THREE: CommitteeRule = CommitteeRule::Drawn { size: 3 };

#[test]
fn committee_is_drawn_from_the_blocks_after_the_claim() {
    test(9, || {
        assert_ok!(open(truth(), THREE));
        assert!(emitted(Event::ClaimOpened {
            job: JOB,
            kind: JobKind::Inference,
            executor: EXECUTOR,
            claim: truth().claim(),
        }));
        // The randomness of block 2 was produced by the block of the claim: it does not count.
        run_to(3);
        assert!(assigned().is_empty());
        run_to(4);
        assert_eq!(assigned().len(), 3);
        assert!(!assigned().contains(&EXECUTOR));
        assert!(emitted(Event::CommitteeDrawn {
            job: JOB,
            members: assigned()
        }));
    });
}

fn drawn_with(values: [u8; 3]) -> Vec<AccountId> {
    new_test_ext(12).execute_with(|| {
        assert_ok!(open(truth(), THREE));
        for (block, value) in (2..).zip(values) {
            BlockRandomness::set(Some(H256([value; 32])));
            run_to(block);
        }
        assigned()
    })
}

#[test]
fn draw_depends_on_the_second_and_third_block_after_the_claim() {
    let drawn = drawn_with([0, 1, 2]);
    assert_eq!(drawn_with([9, 1, 2]), drawn);
    let others = [drawn_with([0, 3, 2]), drawn_with([0, 1, 4]), drawn_with([0, 2, 1])];
    assert!(others.iter().any(|other| *other != drawn));
}

#[test]
fn draw_uses_the_parent_hash_when_a_block_has_no_randomness() {
    test(9, || {
        BlockRandomness::set(None);
        assert_ok!(open(truth(), THREE));
        run_to(4);
        assert_eq!(assigned().len(), 3);
    });
}

#[test]
fn everyone_is_assigned_at_once_under_rule_everyone() {
    test(5, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        assert_eq!(assigned(), [2, 3, 4, 5]);
    });
}

#[test]
fn nothing_is_drawn_when_the_committee_contains_all_members() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        assert_eq!(assigned(), [2, 3, 4]);
        assert!(emitted(Event::CommitteeDrawn {
            job: JOB,
            members: vec![2, 3, 4]
        }));
    });
}

#[test]
fn claim_is_refused_when_the_job_is_claimed() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        assert_noop!(open(lie(), THREE), E::AlreadyClaimed);
    });
}

#[test]
fn claim_is_refused_when_its_executor_is_not_eligible() {
    test(4, || {
        let claim = truth().claim();
        let opened = Verification::open(JobKind::Score, JOB, &77, claim, THREE);
        assert_noop!(opened, E::ExecutorNotEligible);
    });
}

#[test]
fn claim_is_refused_without_checkers() {
    test(1, || {
        assert_noop!(open(truth(), THREE), E::Claim(ClaimRefusal::NoCheckers));
    });
}

#[test]
fn claim_is_refused_when_too_many_are_open() {
    test(4, || {
        let job = |job: u64| {
            let job = H256::from_low_u64_be(job);
            Verification::open(JobKind::Score, job, &EXECUTOR, truth().claim(), THREE)
        };
        for number in 0..8 {
            assert_ok!(job(number));
        }
        assert_noop!(job(8), E::TooManyClaims);
    });
}

#[test]
fn set_is_fixed_when_the_claim_is_made() {
    test(4, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        Members::mutate(|members| members.retain(|member| member.account != 2));
        assert_eq!(assigned(), [2, 3, 4]);
        // A member that has left cannot answer; its weight still counts.
        assert!(answer(2, agree(2, truth())).is_err());
        assert!(Claims::<Test>::contains_key(JOB));
    });
}
