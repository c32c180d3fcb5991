// SPDX-License-Identifier: Apache-2.0

use crate::{claim::ClaimRefusal, mock::*, Call, Claims, Event, REVEAL_DOMAIN};
use agorai_primitives::{
    message::Message,
    traits::{CommitteeRule, Fault, JobKind, Verdict},
};
use frame_support::assert_ok;
use pallet_support::ReportRefusal;
use sp_core::H256;

const THREE: CommitteeRule = CommitteeRule::Drawn { size: 3 };

fn settled(checkers: Vec<AccountId>) -> Vec<(JobKind, H256, Verdict<AccountId>)> {
    vec![(JobKind::Inference, JOB, Verdict::Settled { checkers })]
}

#[test]
fn claim_settles_when_the_verified_receipts_are_a_quorum() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        for member in 2..=4 {
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_ok!(reveal(EXECUTOR, truth().secret));
        assert_eq!(Verdicts::get(), settled(vec![2, 3, 4]));
        let checkers = vec![2, 3, 4];
        assert!(emitted(Event::ClaimSettled {
            job: JOB,
            executor: EXECUTOR,
            checkers
        }));
        assert!(Slashes::get().is_empty());
        assert!(!Claims::<Test>::contains_key(JOB));
    });
}

#[test]
fn reveal_is_refused_when_the_receipts_are_no_quorum() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        for member in 2..=3 {
            assert_ok!(answer(member, agree(member, truth())));
        }
        // Two of three is not more than two thirds, and a receipt that does not verify does not count.
        let no_quorum = refused(E::Claim(ClaimRefusal::NoQuorum));
        assert_eq!(reveal(EXECUTOR, truth().secret), no_quorum);
        assert_ok!(answer(4, agree(3, truth())));
        assert_eq!(reveal(EXECUTOR, truth().secret), no_quorum);
    });
}

#[test]
fn copied_receipt_is_a_missed_duty_when_the_others_settle() {
    test(5, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        assert_ok!(answer(2, agree(3, truth())));
        for member in 3..=5 {
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_ok!(reveal(4, truth().secret));
        assert_eq!(Verdicts::get(), settled(vec![3, 4, 5]));
        assert!(emitted(Event::DutyMissed {
            job: JOB,
            members: vec![2]
        }));
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn wrong_dispute_is_slashed_when_the_set_settles_the_claim() {
    test(7, || {
        assert_ok!(open(truth(), THREE));
        run_to(4);
        let committee = assigned();
        assert_ok!(answer(committee[0], differ(lie())));
        assert!(emitted(Event::Widened { job: JOB }));
        for member in assigned().into_iter().filter(|member| *member != committee[0]) {
            assert_ok!(answer(member, agree(member, truth())));
        }
        assert_ok!(reveal(EXECUTOR, truth().secret));
        assert_eq!(
            Slashes::get(),
            [(committee[0], WrongDispute::get(), Fault::WrongDispute)]
        );
        assert!(matches!(Verdicts::get()[..], [(_, _, Verdict::Settled { .. })]));
    });
}

#[test]
fn bond_of_the_executor_counts_in_the_widened_set() {
    test(4, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        assert_ok!(answer(2, agree(2, truth())));
        assert_ok!(answer(3, agree(3, truth())));
        assert_ok!(reveal(3, truth().secret));
        assert_eq!(Verdicts::get(), settled(vec![2, 3]));
    });
}

#[test]
fn reveal_of_another_secret_is_refused() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        let wrong = refused(E::Claim(ClaimRefusal::WrongSecret));
        assert_eq!(reveal(2, lie().secret), wrong);
    });
}

#[test]
fn reveal_is_refused_when_there_is_no_claim() {
    test(4, || assert_eq!(reveal(2, truth().secret), refused(E::NoClaim)));
}

#[test]
fn reveal_is_refused_when_signed_by_another_account_or_in_another_session() {
    test(4, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        for member in 2..=4 {
            assert_ok!(answer(member, agree(member, truth())));
        }
        let body = truth().secret;
        let message = Message {
            member: 2,
            session: SESSION,
            job: JOB,
            body,
        };
        let signature = signed(3, REVEAL_DOMAIN, &message);
        let call = Call::reveal_secret { message, signature };
        assert_eq!(submit(call), refused(ReportRefusal::BadSignature));
        let message = Message {
            member: 77,
            session: SESSION,
            job: JOB,
            body,
        };
        let signature = signed(77, REVEAL_DOMAIN, &message);
        let call = Call::reveal_secret { message, signature };
        assert_eq!(submit(call), refused(ReportRefusal::NotAMember));
        let message = Message {
            member: 2,
            session: SESSION + 1,
            job: JOB,
            body,
        };
        let signature = signed(2, REVEAL_DOMAIN, &message);
        let call = Call::reveal_secret { message, signature };
        assert_eq!(submit(call), refused(ReportRefusal::WrongSession));
    });
}
