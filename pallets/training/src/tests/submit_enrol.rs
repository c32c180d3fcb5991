// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::ReportRefusal::{self, *},
    round::RoundRefusal,
    types::{EnrolBody, Phase},
    Call, Error, Event, ENROL_DOMAIN,
};
use agorai_primitives::{message::Message, CommitteeSignature};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;
use sp_runtime::DispatchError;

#[test]
fn training_begins_when_every_member_has_enrolled() {
    test(3, || {
        assert_ok!(Draft::default().create(OWNER));
        for member in [1, 2, 3] {
            assert_ok!(enrol(member));
            assert!(emitted(Event::Enrolled {
                plan: PLAN,
                round: 0,
                worker: member
            }));
        }
        next_block();
        let round = current();
        assert_eq!((round.phase, round.workers.len()), (Phase::Train, 3));
        assert_ne!(round.seed, H256::zero());
        assert!(emitted(Event::PhaseChanged {
            plan: PLAN,
            round: 0,
            phase: Phase::Train
        }));
    });
}

#[test]
fn training_begins_at_the_deadline_when_enough_have_enrolled() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        assert_ok!(enrol(2));
        assert_ok!(enrol(4));
        next_block();
        next_block();
        assert_eq!(current().phase, Phase::Enrol);
        next_block();
        assert_eq!((current().phase, current().workers.len()), (Phase::Train, 2));
    });
}

#[test]
fn enrolment_is_refused_when_it_comes_twice_or_late() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        assert_ok!(enrol(1));
        assert_eq!(enrol(1), refused(Round(RoundRefusal::AlreadyEnrolled)));
        assert_ok!(enrol(2));
        wait_for(Phase::Train);
        assert_eq!(enrol(3), refused(Round(RoundRefusal::WrongPhase)));
    });
}

#[test]
fn enrolment_is_refused_when_it_is_not_signed_for_this_by_this_member() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        let body = EnrolBody { plan: PLAN, round: 0 };
        let check = |message: Message<u64, EnrolBody>, signature: CommitteeSignature, why: ReportRefusal| {
            assert_eq!(submit(Call::submit_enrol { message, signature }), refused(why));
        };
        let good = message(1, job(), body);
        // A foreign signature, and one for another call.
        check(good.clone(), sign(2, ENROL_DOMAIN, &good), BadSignature);
        check(good.clone(), sign(1, crate::AUDIT_DOMAIN, &good), BadSignature);
        // A signature for another member's message, no member, another session, round, job or plan.
        let other = message(2, job(), body);
        check(other, sign(1, ENROL_DOMAIN, &good), BadSignature);
        let stranger = message(OWNER, job(), body);
        check(stranger.clone(), sign(OWNER, ENROL_DOMAIN, &stranger), NotAMember);
        let late = Message {
            session: 3,
            ..good.clone()
        };
        check(late.clone(), sign(1, ENROL_DOMAIN, &late), WrongSession);
        let astray = message(1, H256([7; 32]), body);
        check(astray.clone(), sign(1, ENROL_DOMAIN, &astray), WrongJob);
        let next = EnrolBody { plan: PLAN, round: 1 };
        let early = message(1, crate::round_job(PLAN, 1), next);
        check(early.clone(), sign(1, ENROL_DOMAIN, &early), WrongRound);
        let none = message(1, crate::round_job(8, 0), EnrolBody { plan: 8, round: 0 });
        check(none.clone(), sign(1, ENROL_DOMAIN, &none), UnknownPlan);
        assert!(current().workers.is_empty());
    });
}

#[test]
fn enrolment_is_refused_when_it_was_not_authorized() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        let message = message(1, job(), EnrolBody { plan: PLAN, round: 0 });
        let signature = sign(1, ENROL_DOMAIN, &message);
        assert_noop!(
            Training::submit_enrol(RuntimeOrigin::signed(1), message.clone(), signature.clone()),
            DispatchError::BadOrigin
        );
        // In the pool twice, in a block twice: the second changes nothing.
        let origin = || RuntimeOrigin::from(frame_system::RawOrigin::Authorized);
        assert_ok!(Training::submit_enrol(origin(), message.clone(), signature.clone()));
        assert_noop!(
            Training::submit_enrol(origin(), message, signature),
            Error::<Test>::AlreadyEnrolled
        );
    });
}
