// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, round::Phase, Corpora, Error, Event, HoldReason, Plans};
use agorai_primitives::training::{Recipe, RecipeError};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use pallet_support::Nested;
use sp_runtime::{DispatchError, TokenError};

type E = Error<Test>;

#[test]
fn escrow_is_held_and_first_round_begins_when_a_plan_is_created() {
    run_test(4, || {
        create_plan();
        assert!(emitted(Event::PlanCreated {
            plan: PLAN,
            model: MODEL,
            rounds: 2
        }));
        let plan = Plans::<Test>::get(PLAN).unwrap();
        assert_eq!((plan.round, plan.phase, plan.deadline), (0, Phase::Enrol, 4));
        assert_eq!((plan.version, plan.weights), (0, Versions::get()[0]));
        assert_eq!(plan.sequences, 20_000 / 65 + 20_010 / 65);
        assert_eq!(Corpora::<Test>::get(PLAN).len(), 2);
        assert_eq!(
            Balances::balance_on_hold(&HoldReason::Escrow.into(), &OWNER),
            2 * REWARD
        );
    });
}

#[test]
fn plan_starts_from_the_base_version_if_it_is_given() {
    run_test(4, || {
        Versions::mutate(|versions| versions.push(versions[0]));
        assert_ok!(CreatePlanCall {
            base: Some(1),
            ..CreatePlanCall::default()
        }
        .dispatch(OWNER));
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().version, 1);
    });
}

#[test]
fn plan_is_refused_when_the_model_is_unknown_retired_or_not_owned_by_the_caller() {
    run_test(4, || {
        assert_noop!(CreatePlanCall::default().dispatch(1), E::NotOwner);
        let unknown = CreatePlanCall {
            model: 9,
            ..CreatePlanCall::default()
        };
        assert_noop!(unknown.dispatch(OWNER), DispatchError::Other("unknown model"));
        let unknown = CreatePlanCall {
            base: Some(9),
            ..CreatePlanCall::default()
        };
        assert_noop!(unknown.dispatch(OWNER), DispatchError::Other("unknown version"));
        Retired::set(true);
        assert_noop!(
            CreatePlanCall::default().dispatch(OWNER),
            DispatchError::Other("retired")
        );
    });
}

#[test]
fn plan_is_refused_when_a_number_is_out_of_range() {
    run_test(4, || {
        let valid = CreatePlanCall::default;
        for rounds in [0, 11] {
            assert_noop!(
                CreatePlanCall { rounds, ..valid() }.dispatch(OWNER),
                E::RoundsOutOfRange
            );
        }
        for minimum in [0, 33] {
            assert_noop!(
                CreatePlanCall { minimum, ..valid() }.dispatch(OWNER),
                E::MinimumOutOfRange
            );
        }
        assert_noop!(
            CreatePlanCall { reward: 9, ..valid() }.dispatch(OWNER),
            E::RewardTooSmall
        );
        assert_noop!(
            CreatePlanCall {
                reward: u128::MAX,
                ..valid()
            }
            .dispatch(OWNER),
            E::AmountTooLarge
        );
        assert_noop!(
            CreatePlanCall {
                shares: u128::MAX,
                ..valid()
            }
            .dispatch(OWNER),
            E::AmountTooLarge
        );
        let unaffordable = CreatePlanCall {
            reward: FUNDS,
            ..valid()
        };
        assert_noop!(unaffordable.dispatch(OWNER), TokenError::FundsUnavailable);
    });
}

#[test]
fn plan_is_refused_when_its_recipe_is_invalid() {
    run_test(4, || {
        let invalid = |error| E::Recipe(Nested(error));
        let with = |recipe| {
            CreatePlanCall {
                recipe,
                ..CreatePlanCall::default()
            }
            .dispatch(OWNER)
        };
        assert_noop!(with(Recipe { batch: 0, ..RECIPE }), invalid(RecipeError::Zero));
        assert_noop!(with(Recipe { batch: 2_000, ..RECIPE }), invalid(RecipeError::TooLarge));
        assert_noop!(
            with(Recipe {
                segment_steps: 5,
                ..RECIPE
            }),
            invalid(RecipeError::SegmentsDoNotDivideSteps)
        );
        assert_noop!(
            with(Recipe {
                rate_micros: 0,
                ..RECIPE
            }),
            invalid(RecipeError::RateOutOfRange)
        );
        assert_noop!(
            with(Recipe {
                sequence: 257,
                ..RECIPE
            }),
            E::SequenceTooLong
        );
        assert_noop!(
            with(Recipe {
                inner_steps: 40,
                ..RECIPE
            }),
            E::TooLittleData
        );
    });
}

#[test]
fn plan_is_refused_when_its_datasets_are_invalid() {
    run_test(4, || {
        let with = |datasets| {
            CreatePlanCall {
                datasets,
                ..CreatePlanCall::default()
            }
            .dispatch(OWNER)
        };
        assert_noop!(with(vec![]), E::NoDatasets);
        assert_noop!(with(vec![DATASET, DATASET]), E::DuplicateDataset);
        assert_noop!(with(vec![FOREIGN]), E::AccessDenied);
        assert_noop!(with(vec![DATASET, WITHDRAWN]), DispatchError::Other("withdrawn"));
    });
}

#[test]
fn plan_is_refused_when_another_plan_of_the_model_is_running() {
    run_test(4, || {
        create_plan();
        assert_noop!(CreatePlanCall::default().dispatch(OWNER), E::PlanRunning);
    });
}
