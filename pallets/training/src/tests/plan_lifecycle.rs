// SPDX-License-Identifier: Apache-2.0
//! Whole plans and rounds.

use crate::{
    mock::*,
    plan::PlanStatus,
    round::{DropReason, NewWeights, Output, Phase, VoidReason},
    EndedPlans, Event, Feedback, Pallet, Plans, Rounds, RunningPlans,
};
use agorai_primitives::{training::Score, traits::Fault};
use frame_support::assert_ok;

#[test]
fn plan_of_two_rounds_trains_pays_and_completes() {
    run_test(4, || {
        assert_ok!(CreatePlanCall {
            reward: 1_001,
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
        let start = System::block_number();
        honest_round();
        assert!(
            System::block_number() - start <= 20,
            "a round without expired deadlines takes more than 20 blocks"
        );
        let first = NewWeights {
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
        // 1001 in the proportion 1 : 2 : 3 : 4; the first worker receives the remainder.
        for (worker, amount) in [(1, 101), (2, 200), (3, 300), (4, 400)] {
            assert_eq!(Balances::free_balance(worker), 10 + amount);
        }
        assert_eq!(IssuedShares::get(), [(1, 5), (2, 10), (3, 15), (4, 20)]);
        assert_eq!(Origins::get()[0].datasets, [DATASET]);
        assert_eq!(Origins::get()[0].parent, 0);

        // The second round starts from the new weights, with the same workers and their error feedback.
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.round, plan.version, plan.weights), (1, 1, first.weights));
        assert_eq!(current_round().workers.len(), 4);
        assert_eq!(Feedback::<Test>::get(PLAN).len(), 4);
        next_block();
        assert_eq!(current_round().phase, Phase::Train);
        let spec = Pallet::<Test>::train_spec(PLAN, &plan, &current_round(), 2).unwrap();
        assert_eq!((spec.steps_before, spec.steps_total), (16, 32));
        assert_eq!((spec.worker, spec.workers, spec.base), (2, 4, first.weights));
        assert!(spec.error_feedback.is_some());
        honest_round();

        assert_eq!(Origins::get()[1].parent, 1);
        let weights = Versions::get()[2];
        assert!(emitted(Event::PlanCompleted { plan: PLAN, weights }));
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.status, plan.paid, plan.escrow), (PlanStatus::Completed, 2_002, 0));
        assert_eq!(Balances::free_balance(OWNER), FUNDS - 2_002);
        let summary = Rounds::<Test>::get(PLAN, 1).unwrap();
        assert_eq!((summary.workers, summary.accepted, summary.paid), (4, 4, 1_001));
        assert_eq!(summary.version, Some(2));
        assert!(RunningPlans::<Test>::get().is_empty());
    });
}

#[test]
fn dishonest_worker_is_slashed_and_the_round_completes_without_it() {
    run_test(4, || {
        create_plan();
        train_without(&[]);
        audit_all(&[2]);
        assert_eq!(Slashes::get(), [(2, Fault::WrongContribution)]);
        score_and_aggregate();
        let summary = Rounds::<Test>::get(PLAN, 0).unwrap();
        assert_eq!((summary.workers, summary.accepted, summary.paid), (4, 3, REWARD));
        assert_eq!(Balances::free_balance(2), 10);
        // It is no longer a member and not a worker of the next round.
        let workers: Vec<_> = current_round().workers.iter().map(|worker| worker.account).collect();
        assert_eq!(workers, [1, 3, 4]);
    });
}

#[test]
fn silent_worker_is_dropped_without_slash_and_has_to_enrol_again() {
    run_test(4, || {
        create_plan();
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
        assert_eq!(current_round().worker_index(&3), None);
        assert_ok!(enrol(3));
        next_block();
        assert_eq!(
            (current_round().phase, current_round().workers.len()),
            (Phase::Train, 4)
        );
        let plan = Plans::<Test>::get(PLAN).unwrap();
        let spec = |place| Pallet::<Test>::train_spec(PLAN, &plan, &current_round(), place).unwrap();
        assert!(spec(0).error_feedback.is_some());
        assert_eq!(spec(3).error_feedback, None);
    });
}

#[test]
fn plan_is_abandoned_and_its_escrow_released_when_too_few_members_enrol() {
    run_test(4, || {
        assert_ok!(CreatePlanCall {
            rounds: 9,
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
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
        assert!(emitted(Event::PlanAbandoned {
            plan: PLAN,
            released: 9 * REWARD
        }));
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().status, PlanStatus::Abandoned);
        assert_eq!(Balances::free_balance(OWNER), FUNDS);
        assert!(Slashes::get().is_empty());
        // Only the latest summaries are stored.
        assert!(Rounds::<Test>::get(PLAN, 0).is_none());
        assert!(Rounds::<Test>::get(PLAN, 2).is_some());
    });
}

#[test]
fn reward_of_a_void_round_is_released_when_the_plan_ends() {
    run_test(4, || {
        assert_ok!(CreatePlanCall {
            minimum: 3,
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
        enrol_all();
        run_to_phase(Phase::Train);
        assert_ok!(contribute(1));
        assert_ok!(contribute(2));
        run_to_phase(Phase::Enrol);
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
fn contributions_without_gain_and_copies_are_not_paid() {
    run_test(4, || {
        create_plan();
        enrol_all();
        run_to_phase(Phase::Train);
        assert_ok!(contribute(1));
        let mut copy = contribution(2);
        copy.payload = contribution(1).payload;
        assert_ok!(contribute_with(2, copy));
        assert_ok!(contribute(3));
        assert_ok!(contribute(4));
        run_to_phase(Phase::Audit);
        audit_all(&[]);
        run_to_phase(Phase::Score);
        let score = |worker, held_out, own| Score { worker, held_out, own };
        let scores = vec![score(0, 5, 1), score(1, 9, 1), score(2, -4, 1), score(3, 7, 0)];
        assert_ok!(claim(executor(), Output::Scores(scores.try_into().unwrap())));
        settle(true);
        run_to_phase(Phase::Aggregate);
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
        assert_eq!(IssuedShares::get(), [(1, SHARES)]);
        assert_eq!(Feedback::<Test>::get(PLAN).len(), 1);
        // Workers whose contributions were dropped for these reasons remain enrolled.
        assert_eq!(current_round().workers.len(), 4);
    });
}

#[test]
fn round_is_void_when_no_contribution_gains_or_passes_its_audit() {
    run_test(4, || {
        create_plan();
        train_without(&[]);
        audit_all(&[]);
        run_to_phase(Phase::Score);
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
fn workers_are_paid_and_the_plan_is_cancelled_when_the_model_refuses_the_version() {
    run_test(4, || {
        create_plan();
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
        // The weights are verified and public, so the workers are paid.
        assert_eq!(Balances::free_balance(1), 110);
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.status, plan.escrow), (PlanStatus::Cancelled, 0));
        assert!(plan.paid > 0);
    });
}

#[test]
fn oldest_ended_plan_is_removed_when_the_limit_is_exceeded() {
    run_test(4, || {
        for _ in 0..3 {
            create_plan();
            let plan = RunningPlans::<Test>::get()[0];
            assert_ok!(Training::cancel_plan(RuntimeOrigin::signed(OWNER), plan));
        }
        assert_eq!(EndedPlans::<Test>::get().into_inner(), [1, 2]);
        assert!(Plans::<Test>::get(0).is_none());
    });
}
