// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::ReportRefusal::*,
    round::RoundRefusal,
    types::{AuditBody, DropReason, Phase, WorkerStatus},
    Call, Contributions, Event, Plans, AUDIT_DOMAIN,
};
use agorai_primitives::traits::Fault;
use frame_support::assert_ok;

/// Who is asked about the contribution at a place, and who is not (without the worker).
fn asked(place: u32) -> (Vec<u64>, Vec<u64>) {
    let worker = current().workers[place as usize].account;
    let members: Vec<_> = Set::get().iter().map(|member| member.account).collect();
    members
        .into_iter()
        .filter(|who| *who != worker)
        .partition(|who| current().owes_audit(who, place))
}

fn audited(members: u64) {
    assert_ok!(Draft::default().create(OWNER));
    train_without(&[]);
    assert_eq!(current().workers.len() as u64, members);
}

fn status(place: u32) -> WorkerStatus {
    current().workers[place as usize].status
}

#[test]
fn contribution_is_accepted_when_both_auditors_find_what_it_says() {
    test(4, || {
        audited(4);
        let (auditors, others) = asked(0);
        assert_eq!((auditors.len(), others.len()), (2, 1));
        assert_ok!(audit(auditors[0], 0, true));
        assert!(emitted(Event::Audited {
            plan: PLAN,
            round: 0,
            worker: 1,
            auditor: auditors[0],
            matches: true
        }));
        assert_eq!(status(0), WorkerStatus::Contributed);
        assert_ok!(audit(auditors[1], 0, true));
        assert_eq!(status(0), WorkerStatus::Accepted);
    });
}

#[test]
fn audit_is_refused_when_another_contribution_was_audited() {
    test(4, || {
        audited(4);
        let (auditors, _) = asked(0);
        let there = audit_job(0);
        Contributions::<Test>::mutate(PLAN, 0, |one| one.as_mut().unwrap().loss_first += 1);
        let body = AuditBody {
            plan: PLAN,
            round: 0,
            worker: 0,
            matches: false,
        };
        let message = message(auditors[0], there, body);
        let signature = sign(auditors[0], AUDIT_DOMAIN, &message);
        let made_there = submit(Call::submit_audit { message, signature });
        assert_eq!(made_there, refused(WrongJob));
        assert_ok!(audit(auditors[0], 0, true));
    });
}

#[test]
fn audit_is_refused_when_the_member_is_not_asked_or_has_answered() {
    test(4, || {
        audited(4);
        let (auditors, others) = asked(0);
        assert_eq!(audit(others[0], 0, true), refused(Round(RoundRefusal::NotAnAuditor)));
        assert_eq!(audit(1, 0, true), refused(Round(RoundRefusal::NotAnAuditor)));
        assert_eq!(audit(auditors[0], 9, true), refused(Round(RoundRefusal::NoAudit)));
        assert_ok!(audit(auditors[0], 0, true));
        assert_eq!(
            audit(auditors[0], 0, false),
            refused(Round(RoundRefusal::AlreadyAudited))
        );
        assert_ok!(audit(auditors[1], 0, true));
        assert_eq!(audit(auditors[1], 0, true), refused(Round(RoundRefusal::NoAudit)));
    });
}

#[test]
fn worker_is_slashed_when_a_widened_audit_finds_something_else() {
    test(4, || {
        audited(4);
        let (auditors, others) = asked(2);
        assert_ok!(audit(auditors[0], 2, false));
        assert!(current().workers[2].audit.widened);
        assert!(Slashes::get().is_empty());
        assert_ok!(audit(auditors[1], 2, false));
        assert_ok!(audit(others[0], 2, false));
        assert_eq!(Slashes::get(), [(3, Fault::WrongContribution)]);
        assert_eq!(
            status(2),
            WorkerStatus::Dropped {
                reason: DropReason::Cheated
            }
        );
        let reason = DropReason::Cheated;
        assert!(emitted(Event::Dropped {
            plan: PLAN,
            round: 0,
            worker: 3,
            reason
        }));
    });
}

#[test]
fn accuser_is_slashed_when_a_widened_audit_finds_what_the_worker_said() {
    test(4, || {
        audited(4);
        let (auditors, others) = asked(2);
        assert_ok!(audit(auditors[0], 2, false));
        assert_ok!(audit(auditors[1], 2, true));
        assert_ok!(audit(others[0], 2, true));
        assert_eq!(Slashes::get(), [(auditors[0], Fault::WrongAudit)]);
        assert_eq!(status(2), WorkerStatus::Accepted);
    });
}

#[test]
fn contribution_is_dropped_without_slash_when_no_auditor_answers() {
    test(4, || {
        audited(4);
        for place in [0, 1, 3] {
            for auditor in asked(place).0 {
                assert_ok!(audit(auditor, place, true));
            }
        }
        wait_for(Phase::Score);
        assert_eq!(
            status(2),
            WorkerStatus::Dropped {
                reason: DropReason::Unaudited
            }
        );
        assert_eq!(current().accepted().len(), 3);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn everybody_is_asked_when_one_auditor_is_silent() {
    test(4, || {
        audited(4);
        for place in [0, 1, 3] {
            for auditor in asked(place).0 {
                assert_ok!(audit(auditor, place, true));
            }
        }
        let (auditors, others) = asked(2);
        assert_ok!(audit(auditors[0], 2, true));
        let deadline = Plans::<Test>::get(PLAN).unwrap().deadline;
        while !current().workers[2].audit.widened {
            next_block();
        }
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().deadline, deadline + 8);
        // The worker's own bond and two others are more than 2/3.
        assert_ok!(audit(others[0], 2, true));
        assert_eq!(status(2), WorkerStatus::Accepted);
        next_block();
        assert_eq!(current().phase, Phase::Score);
    });
}

#[test]
fn contribution_is_dropped_without_slash_when_too_few_answer_a_widened_audit() {
    test(4, || {
        audited(4);
        for place in [0, 1, 3] {
            for auditor in asked(place).0 {
                assert_ok!(audit(auditor, place, true));
            }
        }
        assert_ok!(audit(asked(2).0[0], 2, false));
        wait_for(Phase::Score);
        assert_eq!(
            status(2),
            WorkerStatus::Dropped {
                reason: DropReason::Undecided
            }
        );
        assert!(Slashes::get().is_empty());
    });
}
