// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::{AuditBody, AUDIT_DOMAIN},
    round::{DropReason, Phase, RoundRefusal, WorkerStatus},
    Call, Contributions, Error, Event, Plans,
};
use agorai_primitives::traits::Fault;
use frame_support::assert_ok;

type E = Error<Test>;

/// The auditors of the worker with index `worker`, and the members that are neither auditors nor the worker.
fn auditors_of(worker: u32) -> (Vec<u64>, Vec<u64>) {
    let account = current_round().workers[worker as usize].account;
    let members: Vec<_> = Members::get().iter().map(|member| member.account).collect();
    members
        .into_iter()
        .filter(|who| *who != account)
        .partition(|who| current_round().owes_audit(who, worker))
}

/// Begins phase `Audit` with contributions of all members.
fn begin_audits(members: u64) {
    create_plan();
    train_without(&[]);
    assert_eq!(current_round().workers.len() as u64, members);
}

fn status(worker: u32) -> WorkerStatus {
    current_round().workers[worker as usize].status
}

#[test]
fn contribution_is_accepted_when_both_auditors_report_a_match() {
    run_test(4, || {
        begin_audits(4);
        let (auditors, others) = auditors_of(0);
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
fn audit_is_refused_when_it_was_made_of_another_contribution() {
    run_test(4, || {
        begin_audits(4);
        let (auditors, _) = auditors_of(0);
        let other_job = audit_job(0);
        Contributions::<Test>::mutate(PLAN, 0, |one| one.as_mut().unwrap().loss_first += 1);
        let body = AuditBody {
            plan: PLAN,
            round: 0,
            worker: 0,
            matches: false,
        };
        let message = message(auditors[0], other_job, body);
        let signature = sign(auditors[0], AUDIT_DOMAIN, &message);
        let result = submit(Call::submit_audit { message, signature });
        assert_eq!(result, refused(E::WrongJob));
        assert_ok!(audit(auditors[0], 0, true));
    });
}

#[test]
fn audit_is_refused_when_the_member_is_not_an_auditor_or_has_reported() {
    run_test(4, || {
        begin_audits(4);
        let (auditors, others) = auditors_of(0);
        assert_eq!(audit(others[0], 0, true), refused(E::Round(RoundRefusal::NotAnAuditor)));
        assert_eq!(audit(1, 0, true), refused(E::Round(RoundRefusal::NotAnAuditor)));
        assert_eq!(audit(auditors[0], 9, true), refused(E::Round(RoundRefusal::NoAudit)));
        assert_ok!(audit(auditors[0], 0, true));
        assert_eq!(
            audit(auditors[0], 0, false),
            refused(E::Round(RoundRefusal::AlreadyAudited))
        );
        assert_ok!(audit(auditors[1], 0, true));
        assert_eq!(audit(auditors[1], 0, true), refused(E::Round(RoundRefusal::NoAudit)));
    });
}

#[test]
fn worker_is_slashed_when_a_quorum_of_the_widened_audit_reports_a_mismatch() {
    run_test(4, || {
        begin_audits(4);
        let (auditors, others) = auditors_of(2);
        assert_ok!(audit(auditors[0], 2, false));
        assert!(current_round().workers[2].audit.widened);
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
fn auditor_is_slashed_when_a_quorum_of_the_widened_audit_contradicts_its_mismatch() {
    run_test(4, || {
        begin_audits(4);
        let (auditors, others) = auditors_of(2);
        assert_ok!(audit(auditors[0], 2, false));
        assert_ok!(audit(auditors[1], 2, true));
        assert_ok!(audit(others[0], 2, true));
        assert_eq!(Slashes::get(), [(auditors[0], Fault::WrongAudit)]);
        assert_eq!(status(2), WorkerStatus::Accepted);
    });
}

#[test]
fn contribution_is_dropped_without_slash_when_no_auditor_reports() {
    run_test(4, || {
        begin_audits(4);
        for worker in [0, 1, 3] {
            for auditor in auditors_of(worker).0 {
                assert_ok!(audit(auditor, worker, true));
            }
        }
        run_to_phase(Phase::Score);
        assert_eq!(
            status(2),
            WorkerStatus::Dropped {
                reason: DropReason::Unaudited
            }
        );
        assert_eq!(current_round().accepted().len(), 3);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn audit_is_widened_at_the_deadline_when_one_auditor_is_silent() {
    run_test(4, || {
        begin_audits(4);
        for worker in [0, 1, 3] {
            for auditor in auditors_of(worker).0 {
                assert_ok!(audit(auditor, worker, true));
            }
        }
        let (auditors, others) = auditors_of(2);
        assert_ok!(audit(auditors[0], 2, true));
        let deadline = Plans::<Test>::get(PLAN).unwrap().deadline;
        while !current_round().workers[2].audit.widened {
            next_block();
        }
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().deadline, deadline + 8);
        // The bonds of the worker and of two auditors are more than 2/3.
        assert_ok!(audit(others[0], 2, true));
        assert_eq!(status(2), WorkerStatus::Accepted);
        next_block();
        assert_eq!(current_round().phase, Phase::Score);
    });
}

#[test]
fn contribution_is_dropped_without_slash_when_too_few_members_report_in_a_widened_audit() {
    run_test(4, || {
        begin_audits(4);
        for worker in [0, 1, 3] {
            for auditor in auditors_of(worker).0 {
                assert_ok!(audit(auditor, worker, true));
            }
        }
        assert_ok!(audit(auditors_of(2).0[0], 2, false));
        run_to_phase(Phase::Score);
        assert_eq!(
            status(2),
            WorkerStatus::Dropped {
                reason: DropReason::Undecided
            }
        );
        assert!(Slashes::get().is_empty());
    });
}
