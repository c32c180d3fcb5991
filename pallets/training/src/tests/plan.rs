// SPDX-License-Identifier: Apache-2.0
//! The stories of whole plans.
use crate::{
    mock::*,
    types::{DropReason, Output, Phase, PlanStatus, VoidReason},
    Event, Feedback, Over, Pallet, Plans, Rounds, Running,
};
use agorai_primitives::{training::Score, traits::Fault};
use frame_support::assert_ok;

#[test]
fn plan_of_two_rounds_trains_pays_and_completes() {
    test(4, || {
        assert_ok!(Draft {
            reward: 1_001,
            ..Draft::default()
        }
        .create(OWNER));
        let begun = System::block_number();
        honest_round();
        assert!(
            System::block_number() - begun <= 20,
            "a round of prompt answers is short"
        );
        let first = crate::types::NewWeights {
            weights: Versions::get()[1],
            loss_before: 5_000_000,
            loss_after: 4_500_000,
        };
        assert!(emitted(Event::RoundCompleted {
            plan: PLAN,
            round: 0,
            weights: first.weights,
            version: 1,
            loss_before: first.loss_before,
            loss_after: first.loss_after,
        }));
        // 1001 split as 1 : 2 : 3 : 4, the odd unit to the first.
        for (worker, amount) in [(1, 101), (2, 200), (3, 300), (4, 400)] {
            assert_eq!(Balances::free_balance(worker), 10 + amount);
        }
        assert_eq!(Issued::get(), [(1, 5), (2, 10), (3, 15), (4, 20)]);
        assert_eq!(Lineage::get()[0].datasets, [DATASET]);
        assert_eq!(Lineage::get()[0].parent, 0);

        // The second round starts from the first's weights, with the same workers and their feedback.
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.round, plan.version, plan.weights), (1, 1, first.weights));
        assert_eq!(current().workers.len(), 4);
        assert_eq!(Feedback::<Test>::get(PLAN).len(), 4);
        next_block();
        assert_eq!(current().phase, Phase::Train);
        let spec = Pallet::<Test>::train_spec(PLAN, &plan, &current(), 2).unwrap();
        assert_eq!((spec.steps_before, spec.steps_total), (16, 32));
        assert_eq!((spec.worker, spec.workers, spec.base), (2, 4, first.weights));
        assert!(spec.error_feedback.is_some());
        honest_round();

        assert_eq!(Lineage::get()[1].parent, 1);
        let weights = Versions::get()[2];
        assert!(emitted(Event::PlanCompleted { plan: PLAN, weights }));
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.status, plan.paid, plan.escrow), (PlanStatus::Completed, 2_002, 0));
        assert_eq!(Balances::free_balance(OWNER), FUNDS - 2_002);
        let summary = Rounds::<Test>::get(PLAN, 1).unwrap();
        assert_eq!((summary.workers, summary.accepted, summary.paid), (4, 4, 1_001));
        assert_eq!(summary.version, Some(2));
        assert!(Running::<Test>::get().is_empty());
    });
}

#[test]
fn round_completes_without_the_worker_that_cheats() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        train_without(&[]);
        audit_all(&[2]);
        assert_eq!(Slashes::get(), [(2, Fault::WrongContribution)]);
        score_and_aggregate();
        let summary = Rounds::<Test>::get(PLAN, 0).unwrap();
        assert_eq!((summary.workers, summary.accepted, summary.paid), (4, 3, REWARD));
        assert_eq!(Balances::free_balance(2), 10);
        // It is no member any more, and no worker of the next round.
        let workers: Vec<_> = current().workers.iter().map(|worker| worker.account).collect();
        assert_eq!(workers, [1, 3, 4]);
    });
}

#[test]
fn silent_worker_is_not_slashed_and_has_to_enrol_again() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        train_without(&[3]);
        let reason = DropReason::Silent;
        assert!(emitted(Event::Dropped {
            plan: PLAN,
            round: 0,
            worker: 3,
            reason
        }));
        audit_all(&[]);
        score_and_aggregate();
        assert!(Slashes::get().is_empty());
        assert_eq!(Balances::free_balance(3), 10);
        assert_eq!(current().place(&3), None);
        assert_ok!(enrol(3));
        next_block();
        assert_eq!((current().phase, current().workers.len()), (Phase::Train, 4));
        let plan = Plans::<Test>::get(PLAN).unwrap();
        let spec = |place| Pallet::<Test>::train_spec(PLAN, &plan, &current(), place).unwrap();
        assert!(spec(0).error_feedback.is_some());
        assert_eq!(spec(3).error_feedback, None);
    });
}

#[test]
fn plan_is_given_up_and_its_escrow_released_when_too_few_enrol() {
    test(4, || {
        assert_ok!(Draft {
            rounds: 9,
            ..Draft::default()
        }
        .create(OWNER));
        assert_ok!(enrol(1));
        for _ in 0..9 {
            next_block();
        }
        for round in 0..3 {
            let reason = VoidReason::TooFewWorkers;
            assert!(emitted(Event::RoundVoid {
                plan: PLAN,
                round,
                reason
            }));
        }
        assert!(emitted(Event::PlanGivenUp {
            plan: PLAN,
            released: 9 * REWARD
        }));
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().status, PlanStatus::GivenUp);
        assert_eq!(Balances::free_balance(OWNER), FUNDS);
        assert!(Slashes::get().is_empty());
        // Only the latest summaries are kept.
        assert!(Rounds::<Test>::get(PLAN, 0).is_none());
        assert!(Rounds::<Test>::get(PLAN, 2).is_some());
    });
}

#[test]
fn void_rounds_reward_stays_and_is_released_at_the_end() {
    test(4, || {
        assert_ok!(Draft {
            minimum: 3,
            ..Draft::default()
        }
        .create(OWNER));
        enrol_all();
        wait_for(Phase::Train);
        assert_ok!(contribute(1));
        assert_ok!(contribute(2));
        wait_for(Phase::Enrol);
        let reason = VoidReason::TooFewContributions;
        assert!(emitted(Event::RoundVoid {
            plan: PLAN,
            round: 0,
            reason
        }));
        assert!(crate::Contributions::<Test>::iter_prefix(PLAN).next().is_none());
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.escrow, plan.void_in_a_row), (2 * REWARD, 1));
        honest_round();
        assert_eq!(Balances::free_balance(OWNER), FUNDS - REWARD);
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().status, PlanStatus::Completed);
    });
}

#[test]
fn only_contributions_that_gain_are_paid_and_a_copy_is_not() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        enrol_all();
        wait_for(Phase::Train);
        assert_ok!(contribute(1));
        let mut copy = contribution(2);
        copy.payload = contribution(1).payload;
        assert_ok!(contribute_this(2, copy));
        assert_ok!(contribute(3));
        assert_ok!(contribute(4));
        wait_for(Phase::Audit);
        audit_all(&[]);
        wait_for(Phase::Score);
        let score = |worker, held_out, own| Score { worker, held_out, own };
        let scores = vec![score(0, 5, 1), score(1, 9, 1), score(2, -4, 1), score(3, 7, 0)];
        assert_ok!(claim(executor(), Output::Scores(scores.try_into().unwrap())));
        settle(true);
        wait_for(Phase::Aggregate);
        let dropped = |worker, reason| {
            assert!(emitted(Event::Dropped {
                plan: PLAN,
                round: 0,
                worker,
                reason
            }));
        };
        dropped(2, DropReason::Copied);
        dropped(3, DropReason::NoGain);
        dropped(4, DropReason::NoGain);
        assert_ok!(claim(executor(), Output::Weights(new_weights())));
        settle(true);
        next_block();
        assert_eq!(Balances::free_balance(1), 10 + REWARD);
        assert_eq!(Issued::get(), [(1, SHARES)]);
        assert_eq!(Feedback::<Test>::get(PLAN).len(), 1);
        // They tried: they stay.
        assert_eq!(current().workers.len(), 4);
    });
}

#[test]
fn round_is_void_when_nothing_gains_or_nothing_passes_its_audit() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        train_without(&[]);
        audit_all(&[]);
        wait_for(Phase::Score);
        let scores: Vec<_> = (0..4)
            .map(|worker| Score {
                worker,
                held_out: 0,
                own: 0,
            })
            .collect();
        assert_ok!(claim(executor(), Output::Scores(scores.try_into().unwrap())));
        settle(true);
        next_block();
        let reason = VoidReason::NoGain;
        assert!(emitted(Event::RoundVoid {
            plan: PLAN,
            round: 0,
            reason
        }));

        train_without(&[]);
        for _ in 0..9 {
            next_block();
        }
        let reason = VoidReason::NothingAudited;
        assert!(emitted(Event::RoundVoid {
            plan: PLAN,
            round: 1,
            reason
        }));
        assert_eq!(Balances::free_balance(OWNER), FUNDS);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn workers_are_paid_and_the_plan_ends_when_the_model_is_retired_before_the_verdict() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        train_without(&[]);
        Retired::set(true);
        audit_all(&[]);
        score_and_aggregate();
        let reason = VoidReason::ModelRefused;
        assert!(emitted(Event::RoundVoid {
            plan: PLAN,
            round: 0,
            reason
        }));
        // The weights are verified and public: the owner does not have them for nothing.
        assert_eq!(Balances::free_balance(1), 110);
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.status, plan.escrow), (PlanStatus::Cancelled, 0));
        assert!(plan.paid > 0);
    });
}

#[test]
fn oldest_plans_are_forgotten_when_too_many_are_over() {
    test(4, || {
        for _ in 0..3 {
            assert_ok!(Draft::default().create(OWNER));
            let plan = Running::<Test>::get()[0];
            assert_ok!(Training::cancel_plan(RuntimeOrigin::signed(OWNER), plan));
        }
        assert_eq!(Over::<Test>::get().into_inner(), [1, 2]);
        assert!(Plans::<Test>::get(0).is_none());
    });
}
