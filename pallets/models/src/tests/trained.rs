// SPDX-License-Identifier: Apache-2.0
//! What training and inference do with a model.
use crate::{
    mock::*,
    types::{PromotionRule, Source},
    Error, Event, Ledgers, Shares, Versions,
};
use agorai_primitives::traits::ModelRegistry as _;
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn lineage_names_every_dataset_once() {
    chain(|| {
        assert_ok!(Draft::default().create(ALICE));
        assert_eq!(trained(0, &[4, 2], (100, 90)), Ok(1));
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
        assert_eq!(trained(1, &[2, 7], (90, 95)), Ok(2));
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
    chain(|| {
        let promotion = PromotionRule::IfLossFell;
        assert_ok!(Draft {
            promotion,
            ..Draft::default()
        }
        .create(ALICE));
        let live = || Models::live(0).unwrap().version;
        assert_ok!(trained(0, &[], (100, 90)));
        assert_eq!(live(), 1);
        assert_ok!(trained(1, &[], (90, 93)));
        assert_eq!(live(), 1);
        // 3 lost, 2 won: still worse than what is live.
        assert_ok!(trained(2, &[], (93, 91)));
        assert_eq!(live(), 1);
        assert_ok!(trained(3, &[], (91, 85)));
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
    chain(|| {
        let promotion = PromotionRule::IfLossFell;
        assert_ok!(Draft {
            promotion,
            ..Draft::default()
        }
        .create(ALICE));
        assert_ok!(trained(0, &[], (100, 90)));
        assert_ok!(trained(0, &[], (100, 10)));
        assert_eq!(Models::live(0).unwrap().version, 1);
    });
}

#[test]
fn version_is_refused_when_it_has_no_parent_no_room_or_too_long_a_lineage() {
    chain(|| {
        assert_ok!(Draft::default().create(ALICE));
        assert_noop!(trained(1, &[], (2, 1)), E::UnknownVersion);
        let many: Vec<u32> = (0..65).collect();
        assert_noop!(trained(0, &many, (2, 1)), E::LineageTooLong);
        for _ in 0..4 {
            assert_ok!(trained(0, &[], (2, 1)));
        }
        assert_noop!(trained(0, &[], (2, 1)), E::TooManyVersions);
    });
}

#[test]
fn shares_are_issued_for_work() {
    chain(|| {
        assert_noop!(Models::issue_shares(0, &BOB, 5), E::UnknownModel);
        assert_ok!(Draft::default().create(ALICE));
        assert_ok!(Models::issue_shares(0, &BOB, 0));
        assert_ok!(Models::issue_shares(0, &BOB, 250));
        assert_ok!(Models::issue_shares(0, &CHARLIE, 1));
        assert_noop!(Models::issue_shares(0, &DAVE, 1), E::TooManyHolders);
        assert_noop!(Models::issue_shares(0, &BOB, u128::MAX), E::TooManyShares);
        assert_eq!(Shares::<Test>::get(0, BOB).shares, 250);
        assert_eq!(Ledgers::<Test>::get(0).issued, 1_251);
        Models::note_income(8, 100);
        Models::note_income(0, 0);
    });
}
