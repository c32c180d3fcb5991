// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, types::Phase, Corpora, Error, Event, HoldReason, Plans};
use agorai_primitives::training::Recipe;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_runtime::{DispatchError, TokenError};

type E = Error<Test>;

#[test]
fn plan_runs_and_its_escrow_is_held_when_it_is_created() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
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
fn plan_starts_from_an_older_version_when_it_is_named() {
    test(4, || {
        Versions::mutate(|versions| versions.push(versions[0]));
        assert_ok!(Draft {
            base: Some(1),
            ..Draft::default()
        }
        .create(OWNER));
        assert_eq!(Plans::<Test>::get(PLAN).unwrap().version, 1);
    });
}

#[test]
fn plan_is_refused_when_the_model_is_not_the_callers_or_not_there() {
    test(4, || {
        assert_noop!(Draft::default().create(1), E::NotOwner);
        let unknown = Draft {
            model: 9,
            ..Draft::default()
        };
        assert_noop!(unknown.create(OWNER), DispatchError::Other("unknown model"));
        let unknown = Draft {
            base: Some(9),
            ..Draft::default()
        };
        assert_noop!(unknown.create(OWNER), DispatchError::Other("unknown version"));
        Retired::set(true);
        assert_noop!(Draft::default().create(OWNER), DispatchError::Other("retired"));
    });
}

#[test]
fn plan_is_refused_when_a_number_is_out_of_range() {
    test(4, || {
        let draft = Draft::default;
        for rounds in [0, 11] {
            assert_noop!(Draft { rounds, ..draft() }.create(OWNER), E::RoundsOutOfRange);
        }
        for minimum in [0, 33] {
            assert_noop!(Draft { minimum, ..draft() }.create(OWNER), E::MinimumOutOfRange);
        }
        assert_noop!(Draft { reward: 9, ..draft() }.create(OWNER), E::RewardTooSmall);
        assert_noop!(
            Draft {
                reward: u128::MAX,
                ..draft()
            }
            .create(OWNER),
            E::AmountTooLarge
        );
        assert_noop!(
            Draft {
                shares: u128::MAX,
                ..draft()
            }
            .create(OWNER),
            E::AmountTooLarge
        );
        let dear = Draft {
            reward: FUNDS,
            ..draft()
        };
        assert_noop!(dear.create(OWNER), TokenError::FundsUnavailable);
    });
}

#[test]
fn plan_is_refused_when_its_recipe_makes_no_sense() {
    test(4, || {
        let with = |recipe| {
            Draft {
                recipe,
                ..Draft::default()
            }
            .create(OWNER)
        };
        assert_noop!(with(Recipe { batch: 0, ..RECIPE }), E::RecipeSizeIsZero);
        assert_noop!(with(Recipe { batch: 2_000, ..RECIPE }), E::RecipeTooLarge);
        assert_noop!(
            with(Recipe {
                segment_steps: 5,
                ..RECIPE
            }),
            E::SegmentsDoNotDivideSteps
        );
        assert_noop!(
            with(Recipe {
                rate_micros: 0,
                ..RECIPE
            }),
            E::RateOutOfRange
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
fn plan_is_refused_when_its_data_may_not_be_used() {
    test(4, || {
        let with = |datasets| {
            Draft {
                datasets,
                ..Draft::default()
            }
            .create(OWNER)
        };
        assert_noop!(with(vec![]), E::NoDatasets);
        assert_noop!(with(vec![DATASET, DATASET]), E::DatasetTwice);
        assert_noop!(with(vec![FOREIGN]), E::AccessDenied);
        assert_noop!(with(vec![DATASET, WITHDRAWN]), DispatchError::Other("withdrawn"));
    });
}

#[test]
fn plan_is_refused_when_one_of_the_model_runs_already() {
    test(4, || {
        assert_ok!(Draft::default().create(OWNER));
        assert_noop!(Draft::default().create(OWNER), E::PlanRunning);
    });
}
