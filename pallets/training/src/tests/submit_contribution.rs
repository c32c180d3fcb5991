// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::ReportRefusal::*,
    round::RoundRefusal,
    types::{ContributionBody, ContributionRecord, Phase},
    Call, Contributions, Current, Event, CONTRIBUTION_DOMAIN,
};
use agorai_primitives::BlobId;
use frame_support::{assert_ok, BoundedVec};
use sp_core::H256;

fn training() {
    assert_ok!(Draft::default().create(OWNER));
    enrol(1).unwrap();
    enrol(2).unwrap();
    enrol(3).unwrap();
    wait_for(Phase::Train);
}

#[test]
fn contribution_is_kept_and_audits_begin_when_all_have_contributed() {
    test(4, || {
        training();
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
        assert_eq!(current().phase, Phase::Train);
        assert!(current().closed);
        next_block();
        let round = current();
        assert_eq!((round.phase, round.voters.len()), (Phase::Audit, 4));
        for (place, worker) in round.workers.iter().enumerate() {
            assert_eq!(worker.audit.asked.count_ones(), 2);
            assert!(!round.owes_audit(&worker.account, place as u32));
            assert!(worker.audit.segment < 4);
        }
    });
}

#[test]
fn contribution_is_refused_when_it_is_not_this_workers_to_make_now() {
    test(4, || {
        training();
        assert_eq!(contribute(4), refused(Round(RoundRefusal::NotAWorker)));
        assert_ok!(contribute(1));
        assert_eq!(contribute(1), refused(Round(RoundRefusal::AlreadyContributed)));
        assert_ok!(contribute(2));
        wait_for(Phase::Audit);
        assert_eq!(contribute(3), refused(Round(RoundRefusal::WrongPhase)));
    });
}

#[test]
fn contribution_is_refused_when_it_was_made_on_another_fork() {
    test(4, || {
        training();
        // The same plan and round, but another seed has assigned other data.
        let there = training_job();
        Current::<Test>::mutate(PLAN, |round| round.as_mut().unwrap().seed = H256([9; 32]));
        let body = ContributionBody {
            plan: PLAN,
            round: 0,
            contribution: contribution(1),
        };
        let message = message(1, there, body);
        let signature = sign(1, CONTRIBUTION_DOMAIN, &message);
        let made_there = submit(Call::submit_contribution { message, signature });
        assert_eq!(made_there, refused(WrongJob));
        assert_ok!(contribute(1));
    });
}

#[test]
fn contribution_is_refused_when_it_does_not_fit_the_recipe() {
    test(4, || {
        training();
        let good = contribution(1);
        let none = BlobId::default();
        let mut states = good.states.clone();
        states.pop();
        let bad = [
            ContributionRecord { states, ..good.clone() },
            ContributionRecord {
                states: BoundedVec::new(),
                ..good.clone()
            },
            ContributionRecord {
                payload: none,
                ..good.clone()
            },
            ContributionRecord {
                error_feedback: none,
                ..good.clone()
            },
            ContributionRecord {
                payload_bytes: 0,
                ..good.clone()
            },
            ContributionRecord {
                payload_bytes: u64::MAX,
                ..good.clone()
            },
        ];
        for contribution in bad {
            assert_eq!(contribute_this(1, contribution), refused(ContributionMalformed));
        }
        assert_ok!(contribute_this(1, good));
    });
}
