// SPDX-License-Identifier: Apache-2.0

use crate::{
    claim::{Answer, ClaimRefusal},
    mock::*,
    Call, Claims, Event, RECEIPT_DOMAIN, REVEAL_DOMAIN,
};
use agorai_primitives::{
    job::JobFailure,
    traits::{CommitteeRule, Fault, JobKind, Verdict},
};
use frame_support::{assert_err, assert_ok};
use frame_system::RawOrigin;
use pallet_support::ReportRefusal;
use sp_core::H256;
use sp_runtime::{
    traits::BadOrigin,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, UnknownTransaction},
};

const THREE: CommitteeRule = CommitteeRule::Drawn { size: 3 };

#[test]
fn wrong_claim_is_refused_and_its_executor_slashed_when_a_quorum_computes_the_same_other_trace() {
    test(4, || {
        assert_ok!(open(lie(), THREE));
        assert_ok!(answer(2, differ(truth())));
        // The first dispute widens the claim.
        assert!(emitted(Event::Widened { job: JOB }));
        assert_ok!(answer(3, differ(truth())));
        assert!(Verdicts::get().is_empty());
        assert_ok!(answer(4, differ(truth())));
        assert!(emitted(Event::ClaimRefused {
            job: JOB,
            executor: EXECUTOR
        }));
        assert_eq!(Slashes::get(), [(EXECUTOR, WrongClaim::get(), Fault::WrongClaim)]);
        assert_eq!(Verdicts::get(), [(JobKind::Inference, JOB, Verdict::Refused)]);
        assert!(!Claims::<Test>::contains_key(JOB));
    });
}

#[test]
fn member_that_agrees_to_a_refused_claim_misses_its_duty() {
    test(7, || {
        assert_ok!(open(lie(), CommitteeRule::Everyone));
        assert_ok!(answer(2, agree(2, lie())));
        for member in 3..=7 {
            assert_ok!(answer(member, differ(truth())));
        }
        assert!(emitted(Event::DutyMissed {
            job: JOB,
            members: vec![2]
        }));
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn no_one_is_slashed_when_the_disputes_differ_from_each_other() {
    test(4, || {
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        let other = |byte| Answer::Differ {
            result: H256([byte; 32]),
            root: H256::zero(),
        };
        assert_ok!(answer(2, other(8)));
        assert_ok!(answer(3, other(9)));
        assert_eq!(Verdicts::get(), [(JobKind::Inference, JOB, Verdict::Unresolved)]);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn no_one_is_slashed_when_members_are_unable() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        for member in [2, 3] {
            assert_ok!(answer(member, Answer::Unable(JobFailure::BlobUnavailable)));
        }
        assert!(emitted(Event::ClaimUnresolved { job: JOB }));
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn second_answer_is_refused() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        assert_ok!(answer(2, agree(2, truth())));
        let again = refused(E::Claim(ClaimRefusal::AlreadyAnswered));
        assert_eq!(answer(2, agree(2, truth())), again);
        assert_eq!(answer(2, differ(lie())), again);
    });
}

#[test]
fn answer_is_refused_when_its_author_is_not_assigned() {
    test(9, || {
        assert_ok!(open(truth(), THREE));
        assert_eq!(answer(2, agree(2, truth())), refused(E::Claim(ClaimRefusal::NotDrawn)));
        run_to(4);
        let outside = (2..=9).find(|member| !assigned().contains(member)).unwrap();
        for member in [outside, EXECUTOR, 77] {
            assert_eq!(
                answer(member, agree(member, truth())),
                refused(E::Claim(ClaimRefusal::NotAssigned))
            );
        }
    });
}

#[test]
fn answer_is_refused_when_there_is_no_claim() {
    test(4, || assert_eq!(answer(2, agree(2, truth())), refused(E::NoClaim)));
}

#[test]
fn answer_is_refused_when_another_member_or_message_is_signed() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        let message = receipt_message(2, agree(2, truth()));
        for signature in [
            signed(3, RECEIPT_DOMAIN, &message),
            signed(2, REVEAL_DOMAIN, &message),
            signed(2, RECEIPT_DOMAIN, &receipt_message(2, differ(lie()))),
        ] {
            let call = Call::submit_receipt {
                message: message.clone(),
                signature,
            };
            assert_eq!(submit(call), refused(ReportRefusal::BadSignature));
        }
    });
}

#[test]
fn answer_is_refused_when_signed_in_another_session() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        let mut message = receipt_message(2, agree(2, truth()));
        message.session = SESSION - 1;
        let signature = signed(2, RECEIPT_DOMAIN, &message);
        let call = Call::submit_receipt { message, signature };
        assert_eq!(submit(call), refused(ReportRefusal::WrongSession));
    });
}

#[test]
fn answer_to_an_earlier_claim_is_refused_under_a_later_one() {
    test(4, || {
        assert_ok!(open(lie(), CommitteeRule::Everyone));
        let message = receipt_message(2, differ(truth()));
        let signature = signed(2, RECEIPT_DOMAIN, &message);
        // The message is never included. The claim expires, and the correct result is claimed.
        run_to(1 + WIDENED);
        assert_ok!(open(truth(), CommitteeRule::Everyone));
        let call = Call::submit_receipt { message, signature };
        assert_eq!(submit(call), refused(E::OtherClaim));
    });
}

#[test]
fn answer_is_refused_from_other_origins() {
    test(4, || {
        assert_ok!(open(truth(), THREE));
        for origin in [RawOrigin::Signed(2), RawOrigin::None, RawOrigin::Root] {
            let message = receipt_message(2, agree(2, truth()));
            let signature = signed(2, RECEIPT_DOMAIN, &message);
            let call = Verification::submit_receipt(origin.into(), message, signature);
            assert_err!(call, BadOrigin);
        }
    });
}

#[test]
fn pool_keeps_one_answer_of_each_member_and_does_not_ban_early_answers() {
    use frame_support::traits::Authorize;
    test(4, || {
        assert_ok!(open(truth(), THREE));
        let validity = |given: Answer| {
            let message = receipt_message(2, given);
            let signature = signed(2, RECEIPT_DOMAIN, &message);
            let call = RuntimeCall::from(Call::submit_receipt { message, signature });
            call.authorize(TransactionSource::External).unwrap().unwrap().0
        };
        let (one, two) = (validity(agree(2, truth())), validity(differ(lie())));
        assert_eq!(one.provides, two.provides);
        assert!(one.propagate);
        assert!(one.longevity <= 32);
    });
    let early = TransactionValidityError::from(E::NoClaim);
    assert!(matches!(
        early,
        TransactionValidityError::Unknown(UnknownTransaction::Custom(_))
    ));
    let late = TransactionValidityError::from(ReportRefusal::WrongSession);
    assert!(matches!(
        late,
        TransactionValidityError::Invalid(InvalidTransaction::Stale)
    ));
}
