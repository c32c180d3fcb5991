// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, version::VersionStatus, Error, Event, Versions};
use agorai_primitives::traits::ModelRegistry as _;
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

fn statuses() -> Vec<VersionStatus> {
    (0..3)
        .map(|version| Versions::<Test>::get(0, version).unwrap().status)
        .collect()
}

#[test]
fn owner_promotes_candidates_and_rolls_back_to_former_versions() {
    run_test(|| {
        use VersionStatus::*;
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(add_trained(0, &[4], (100, 90)));
        assert_ok!(add_trained(1, &[4], (90, 80)));
        assert_eq!(statuses(), [Live, Candidate, Candidate]);

        assert_ok!(Models::promote(signed(ALICE), 0, 2));
        System::assert_last_event(
            Event::Promoted {
                model: 0,
                version: 2,
                weights: weights(101),
            }
            .into(),
        );
        assert_eq!(statuses(), [Former, Candidate, Live]);
        assert_noop!(Models::promote(signed(ALICE), 0, 2), E::NotCandidate);
        assert_noop!(Models::promote(signed(ALICE), 0, 0), E::NotCandidate);
        assert_noop!(Models::roll_back(signed(ALICE), 0, 1), E::NotFormer);

        assert_ok!(Models::roll_back(signed(ALICE), 0, 0));
        System::assert_last_event(
            Event::RolledBack {
                model: 0,
                version: 0,
                weights: weights(1),
            }
            .into(),
        );
        assert_eq!(statuses(), [Live, Candidate, Former]);
        assert_eq!(Models::live(0).unwrap().version, 0);
    });
}

#[test]
fn promotion_is_refused_when_the_caller_is_not_the_owner_or_the_version_is_unknown() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(add_trained(0, &[], (100, 90)));
        assert_noop!(Models::promote(signed(BOB), 0, 1), E::NotOwner);
        assert_noop!(Models::promote(signed(ALICE), 1, 1), E::UnknownModel);
        assert_noop!(Models::promote(signed(ALICE), 0, 2), E::UnknownVersion);
    });
}
