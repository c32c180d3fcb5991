// SPDX-License-Identifier: Apache-2.0
use crate::{
    contribution::ContributionRecord,
    mock::*,
    reports::{ContributionBody, CONTRIBUTION_DOMAIN},
    round::{Phase, RoundRefusal},
    Call, Contributions, CurrentRounds, Error, Event,
};
use agorai_primitives::BlobId;
use frame_support::{assert_ok, BoundedVec};
use sp_core::H256;

type E = Error<Test>;

/// Begins phase `Train` with the workers 1, 2 and 3.
fn begin_training() {
    create_plan();
    enrol(1).unwrap();
    enrol(2).unwrap();
    enrol(3).unwrap();
    run_to_phase(Phase::Train);
}

#[test]
fn contribution_is_stored_and_audits_begin_when_all_workers_have_contributed() {
    run_test(4, || {
        begin_training();
        assert_ok!(contribute(2));
        assert!(emitted(Event::Contributed {
            plan: PLAN,
            round: 0,
            worker: 2,
            loss_first: 5_000_000,
            loss_last: 4_000_000,
            payload: contribution(2).payload,
        }));
        assert_eq!(Contributions::<Test>::get(PLAN, 1), Some(contribution(2)));
        assert_ok!(contribute(1));
        assert_ok!(contribute(3));
        next_block();
        assert_eq!(current_round().phase, Phase::Train);
        assert!(current_round().closed);
        next_block();
        let round = current_round();
        assert_eq!((round.phase, round.voters.len()), (Phase::Audit, 4));
        for (index, worker) in round.workers.iter().enumerate() {
            assert_eq!(worker.audit.asked.count_ones(), 2);
            assert!(!round.owes_audit(&worker.account, index as u32));
            assert!(worker.audit.segment < 4);
        }
    });
}

#[test]
fn contribution_is_refused_when_the_member_is_not_a_worker_or_has_contributed() {
    run_test(4, || {
        begin_training();
        assert_eq!(contribute(4), refused(E::Round(RoundRefusal::NotAWorker)));
        assert_ok!(contribute(1));
        assert_eq!(contribute(1), refused(E::Round(RoundRefusal::AlreadyContributed)));
        assert_ok!(contribute(2));
        run_to_phase(Phase::Audit);
        assert_eq!(contribute(3), refused(E::Round(RoundRefusal::WrongPhase)));
    });
}

#[test]
fn contribution_is_refused_when_it_was_made_on_another_fork() {
    run_test(4, || {
        begin_training();
        // The other fork has the same plan and round but another seed, which assigns other data.
        let other_job = training_job();
        CurrentRounds::<Test>::mutate(PLAN, |round| round.as_mut().unwrap().seed = H256([9; 32]));
        let body = ContributionBody {
            plan: PLAN,
            round: 0,
            contribution: contribution(1),
        };
        let message = message(1, other_job, body);
        let signature = sign(1, CONTRIBUTION_DOMAIN, &message);
        let result = submit(Call::submit_contribution { message, signature });
        assert_eq!(result, refused(E::WrongJob));
        assert_ok!(contribute(1));
    });
}

#[test]
fn contribution_is_refused_when_it_does_not_fit_the_recipe() {
    run_test(4, || {
        begin_training();
        let valid = contribution(1);
        let zero = BlobId::default();
        let mut states = valid.states.clone();
        states.pop();
        let invalid = [
            ContributionRecord {
                states,
                ..valid.clone()
            },
            ContributionRecord {
                states: BoundedVec::new(),
                ..valid.clone()
            },
            ContributionRecord {
                payload: zero,
                ..valid.clone()
            },
            ContributionRecord {
                error_feedback: zero,
                ..valid.clone()
            },
            ContributionRecord {
                payload_bytes: 0,
                ..valid.clone()
            },
            ContributionRecord {
                payload_bytes: u64::MAX,
                ..valid.clone()
            },
        ];
        for contribution in invalid {
            assert_eq!(contribute_with(1, contribution), refused(E::ContributionMalformed));
        }
        assert_ok!(contribute_with(1, valid));
    });
}
