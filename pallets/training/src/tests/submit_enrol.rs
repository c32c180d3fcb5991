// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::{enrolment_job, EnrolBody, AUDIT_DOMAIN, ENROL_DOMAIN},
    round::{Phase, RoundRefusal},
    Call, Error, Event,
};
use agorai_primitives::{message::Message, CommitteeSignature};
use frame_support::{assert_noop, assert_ok};
use pallet_support::ReportRefusal::*;
use sp_core::H256;
use sp_runtime::DispatchError;

type E = Error<Test>;

#[test]
fn training_begins_when_every_member_has_enrolled() {
    run_test(3, || {
        create_plan();
        for member in [1, 2, 3] {
            assert_ok!(enrol(member));
            assert!(emitted(Event::Enrolled {
                plan: PLAN,
                round: 0,
                worker: member
            }));
        }
        next_block();
        let round = current_round();
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
    run_test(4, || {
        create_plan();
        assert_ok!(enrol(2));
        assert_ok!(enrol(4));
        next_block();
        next_block();
        assert_eq!(current_round().phase, Phase::Enrol);
        next_block();
        assert_eq!(
            (current_round().phase, current_round().workers.len()),
            (Phase::Train, 2)
        );
    });
}

#[test]
fn enrolment_is_refused_when_the_member_is_a_worker_or_the_phase_has_ended() {
    run_test(4, || {
        create_plan();
        assert_ok!(enrol(1));
        assert_eq!(enrol(1), refused(E::Round(RoundRefusal::AlreadyEnrolled)));
        assert_ok!(enrol(2));
        run_to_phase(Phase::Train);
        assert_eq!(enrol(3), refused(E::Round(RoundRefusal::WrongPhase)));
    });
}

#[test]
fn enrolment_is_refused_when_its_signature_or_address_is_wrong() {
    run_test(4, || {
        create_plan();
        let body = EnrolBody { plan: PLAN, round: 0 };
        let check = |message: Message<u64, EnrolBody>, signature: CommitteeSignature, error: E| {
            assert_eq!(submit(Call::submit_enrol { message, signature }), refused(error));
        };
        let valid = message(1, current_enrolment_job(), body);
        // Signed by another member, and signed for another call.
        check(valid.clone(), sign(2, ENROL_DOMAIN, &valid), E::Report(BadSignature));
        check(valid.clone(), sign(1, AUDIT_DOMAIN, &valid), E::Report(BadSignature));
        // A report of another member, of an account that is not a member, for another session, job, round or plan.
        let other = message(2, current_enrolment_job(), body);
        check(other, sign(1, ENROL_DOMAIN, &valid), E::Report(BadSignature));
        let not_a_member = message(OWNER, current_enrolment_job(), body);
        check(
            not_a_member.clone(),
            sign(OWNER, ENROL_DOMAIN, &not_a_member),
            E::Report(NotAMember),
        );
        let other_session = Message {
            session: 3,
            ..valid.clone()
        };
        check(
            other_session.clone(),
            sign(1, ENROL_DOMAIN, &other_session),
            E::Report(WrongSession),
        );
        let other_job = message(1, H256([7; 32]), body);
        check(other_job.clone(), sign(1, ENROL_DOMAIN, &other_job), E::WrongJob);
        let body_of_next_round = EnrolBody { plan: PLAN, round: 1 };
        let next_round = message(1, enrolment_job(PLAN, 1), body_of_next_round);
        check(next_round.clone(), sign(1, ENROL_DOMAIN, &next_round), E::WrongRound);
        let unknown_plan = message(1, enrolment_job(8, 0), EnrolBody { plan: 8, round: 0 });
        check(
            unknown_plan.clone(),
            sign(1, ENROL_DOMAIN, &unknown_plan),
            E::UnknownPlan,
        );
        assert!(current_round().workers.is_empty());
    });
}

#[test]
fn enrolment_is_refused_when_it_was_not_authorized() {
    run_test(4, || {
        create_plan();
        let message = message(1, current_enrolment_job(), EnrolBody { plan: PLAN, round: 0 });
        let signature = sign(1, ENROL_DOMAIN, &message);
        assert_noop!(
            Training::submit_enrol(RuntimeOrigin::signed(1), message.clone(), signature.clone()),
            DispatchError::BadOrigin
        );
        // The call checks again: a block can contain two enrolments that were both authorized before it.
        let origin = || RuntimeOrigin::from(frame_system::RawOrigin::Authorized);
        assert_ok!(Training::submit_enrol(origin(), message.clone(), signature.clone()));
        assert_noop!(
            Training::submit_enrol(origin(), message, signature),
            E::Round(RoundRefusal::AlreadyEnrolled)
        );
    });
}
