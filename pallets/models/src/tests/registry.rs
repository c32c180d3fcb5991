// SPDX-License-Identifier: Apache-2.0
//! The calls of the training and inference pallets.

use crate::{
    mock::*, model::PromotionRule, shares::SharesError, version::Source, Error, Event, Ledgers, Shares, Versions,
};
use agorai_primitives::traits::ModelRegistry as _;
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn lineage_contains_each_dataset_once() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_eq!(add_trained(0, &[4, 2], (100, 90)), Ok(1));
        System::assert_last_event(
            Event::VersionAdded {
                model: 0,
                version: 1,
                weights: weights(100),
                loss_before: 100,
                loss_after: 90,
            }
            .into(),
        );
        assert_eq!(add_trained(1, &[2, 7], (90, 95)), Ok(2));
        assert_eq!(Models::lineage_datasets(0, 2), [4, 2, 7]);
        assert!(matches!(
            Versions::<Test>::get(0, 2).unwrap().source,
            Source::Round {
                parent: 1,
                loss_after: 95,
                ..
            }
        ));
        assert_eq!(Models::live(0).unwrap().version, 0);
    });
}

#[test]
fn candidate_is_promoted_by_rule_when_the_loss_fell_since_the_live_version() {
    run_test(|| {
        let promotion = PromotionRule::IfLossFell;
        assert_ok!(CreateCall {
            promotion,
            ..CreateCall::default()
        }
        .dispatch(ALICE));
        let live = || Models::live(0).unwrap().version;
        assert_ok!(add_trained(0, &[], (100, 90)));
        assert_eq!(live(), 1);
        assert_ok!(add_trained(1, &[], (90, 93)));
        assert_eq!(live(), 1);
        // The loss rose by 3 and fell by 2: it is still above that of the live version.
        assert_ok!(add_trained(2, &[], (93, 91)));
        assert_eq!(live(), 1);
        assert_ok!(add_trained(3, &[], (91, 85)));
        assert_eq!(live(), 4);
        System::assert_last_event(
            Event::Promoted {
                model: 0,
                version: 4,
                weights: weights(103),
            }
            .into(),
        );
    });
}

#[test]
fn candidate_is_not_promoted_by_rule_when_it_does_not_descend_from_the_live_version() {
    run_test(|| {
        let promotion = PromotionRule::IfLossFell;
        assert_ok!(CreateCall {
            promotion,
            ..CreateCall::default()
        }
        .dispatch(ALICE));
        assert_ok!(add_trained(0, &[], (100, 90)));
        assert_ok!(add_trained(0, &[], (100, 10)));
        assert_eq!(Models::live(0).unwrap().version, 1);
    });
}

#[test]
fn version_is_refused_when_its_parent_is_unknown_or_a_limit_is_exceeded() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_noop!(add_trained(1, &[], (2, 1)), E::UnknownVersion);
        let many: Vec<u32> = (0..65).collect();
        assert_noop!(add_trained(0, &many, (2, 1)), E::LineageTooLong);
        for _ in 0..4 {
            assert_ok!(add_trained(0, &[], (2, 1)));
        }
        assert_noop!(add_trained(0, &[], (2, 1)), E::TooManyVersions);
    });
}

#[test]
fn shares_are_issued_within_the_limits() {
    run_test(|| {
        assert_noop!(Models::issue_shares(0, &BOB, 5), E::UnknownModel);
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(Models::issue_shares(0, &BOB, 0));
        assert_ok!(Models::issue_shares(0, &BOB, 250));
        assert_ok!(Models::issue_shares(0, &CHARLIE, 1));
        assert_noop!(Models::issue_shares(0, &DAVE, 1), E::TooManyHolders);
        assert_noop!(
            Models::issue_shares(0, &BOB, u128::MAX),
            E::Shares(SharesError::Overflow)
        );
        assert_eq!(Shares::<Test>::get(0, BOB).shares, 250);
        assert_eq!(Ledgers::<Test>::get(0).issued, 1_251);
        Models::note_income(8, 100);
        Models::note_income(0, 0);
    });
}
