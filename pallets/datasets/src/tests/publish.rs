// SPDX-License-Identifier: Apache-2.0
use crate::{
    dataset::AccessTerms,
    mock::*,
    shards::{root, Shards},
    Datasets as Records, Error, Event, HoldReason, NextDataset,
};
use agorai_primitives::{traits::DatasetRegistry as _, BlobId, Shard};
use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    traits::{fungible::InspectHold, Contains},
};
use sp_runtime::TokenError;

type E = Error<Test>;

#[test]
fn dataset_is_stored_with_its_root_when_it_is_published() {
    run_test(|| {
        let issuance = Balances::total_issuance();
        assert_ok!(PublishCall::default().dispatch(ALICE));
        let record = Records::<Test>::get(0).unwrap();
        assert_eq!(record.root, root(&shards(&[300, 200])));
        assert_eq!(record.bytes, 500);
        System::assert_last_event(
            Event::Published {
                dataset: 0,
                owner: ALICE,
                root: record.root,
                bytes: 500,
            }
            .into(),
        );
        let held = Balances::balance_on_hold(&HoldReason::Record.into(), &ALICE);
        assert_eq!(held, record.encode().len() as u128 * 10);
        assert_eq!(held, record.deposit);
        assert_eq!(Balances::total_issuance(), issuance);
        assert_eq!(Datasets::usable_shards(0).unwrap(), shards(&[300, 200]).into_inner());
        assert_eq!(Datasets::contributors(0), vec![(ALICE, 2), (BOB, 1)]);
    });
}

#[test]
fn owner_becomes_the_contributor_when_the_list_is_empty() {
    run_test(|| {
        assert_ok!(PublishCall {
            contributors: vec![],
            ..PublishCall::default()
        }
        .dispatch(BOB));
        assert_eq!(Datasets::contributors(0), vec![(BOB, 1)]);
    });
}

#[test]
fn newer_version_requires_a_parent_that_is_in_use() {
    run_test(|| {
        assert_ok!(PublishCall::default().dispatch(ALICE));
        assert_ok!(PublishCall {
            parent: Some(0),
            ..PublishCall::default()
        }
        .dispatch(BOB));
        assert_eq!(Records::<Test>::get(1).unwrap().parent, Some(0));
        assert_noop!(
            PublishCall {
                parent: Some(7),
                ..PublishCall::default()
            }
            .dispatch(BOB),
            E::UnknownParent
        );
        assert_ok!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0));
        let child_of_withdrawn = PublishCall {
            parent: Some(0),
            ..PublishCall::default()
        };
        assert_noop!(child_of_withdrawn.dispatch(BOB), E::ParentWithdrawn);
    });
}

#[test]
fn dataset_is_refused_when_a_field_is_invalid() {
    run_test(|| {
        let valid = PublishCall::default;
        assert_noop!(PublishCall { name: b"", ..valid() }.dispatch(ALICE), E::NameIsEmpty);
        assert_noop!(
            PublishCall {
                name: b"\xff",
                ..valid()
            }
            .dispatch(ALICE),
            E::NameNotPrintable
        );
        let zero = BlobId::default();
        assert_noop!(
            PublishCall {
                manifest: zero,
                ..valid()
            }
            .dispatch(ALICE),
            E::ManifestHashIsZero
        );
        assert_noop!(
            PublishCall {
                licence: b"",
                ..valid()
            }
            .dispatch(ALICE),
            E::LicenceNotSpdx
        );
        assert_noop!(
            PublishCall {
                licence: b"MIT;",
                ..valid()
            }
            .dispatch(ALICE),
            E::LicenceNotSpdx
        );
        assert_noop!(
            PublishCall {
                shards: shards(&[]),
                ..valid()
            }
            .dispatch(ALICE),
            E::NoShards
        );
        assert_noop!(
            PublishCall {
                shards: shards(&[5, 0]),
                ..valid()
            }
            .dispatch(ALICE),
            E::ShardIsEmpty
        );
        let shard = Shard {
            blob: BlobId([1; 32]),
            bytes: 1,
        };
        let duplicate: Shards = vec![shard, Shard { bytes: 2, ..shard }].try_into().unwrap();
        assert_noop!(
            PublishCall {
                shards: duplicate,
                ..valid()
            }
            .dispatch(ALICE),
            E::DuplicateShard
        );
        let zero_hash: Shards = vec![Shard { blob: zero, bytes: 1 }].try_into().unwrap();
        assert_noop!(
            PublishCall {
                shards: zero_hash,
                ..valid()
            }
            .dispatch(ALICE),
            E::ShardHashIsZero
        );
        let duplicate = vec![(BOB, 1), (BOB, 2)];
        assert_noop!(
            PublishCall {
                contributors: duplicate,
                ..valid()
            }
            .dispatch(ALICE),
            E::DuplicateContributor
        );
        let zero_weight = vec![(BOB, 0)];
        assert_noop!(
            PublishCall {
                contributors: zero_weight,
                ..valid()
            }
            .dispatch(ALICE),
            E::ContributorWeightIsZero
        );
        assert_eq!(NextDataset::<Test>::get(), 0);
    });
}

#[test]
fn dataset_is_refused_when_it_exceeds_the_maximum_length() {
    run_test(|| {
        assert_ok!(PublishCall {
            shards: shards(&[999, 1]),
            ..PublishCall::default()
        }
        .dispatch(ALICE));
        for lengths in [[999, 2], [u64::MAX, 1]] {
            let large = PublishCall {
                shards: shards(&lengths),
                ..PublishCall::default()
            };
            assert_noop!(large.dispatch(ALICE), E::DatasetTooLarge);
        }
    });
}

#[test]
fn dataset_is_refused_when_the_deposit_cannot_be_held() {
    run_test(|| {
        assert_noop!(PublishCall::default().dispatch(POOR), TokenError::FundsUnavailable);
        assert!(Records::<Test>::get(0).is_none());
    });
}

#[test]
fn only_the_owner_may_train_when_access_is_owner_only() {
    run_test(|| {
        assert_ok!(PublishCall::default().dispatch(ALICE));
        assert_ok!(PublishCall {
            access: AccessTerms::OwnerOnly,
            ..PublishCall::default()
        }
        .dispatch(ALICE));
        assert!(Datasets::contains(&(0, BOB)));
        assert!(Datasets::contains(&(1, ALICE)));
        assert!(!Datasets::contains(&(1, BOB)));
        assert!(!Datasets::contains(&(2, ALICE)));
    });
}
