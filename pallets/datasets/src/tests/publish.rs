// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    types::{root, AccessTerms, Shards},
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
fn dataset_is_kept_with_its_root_when_it_is_published() {
    chain(|| {
        let issuance = Balances::total_issuance();
        assert_ok!(Draft::default().publish(ALICE));
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
fn owner_is_the_contributor_when_none_is_named() {
    chain(|| {
        assert_ok!(Draft {
            contributors: vec![],
            ..Draft::default()
        }
        .publish(BOB));
        assert_eq!(Datasets::contributors(0), vec![(BOB, 1)]);
    });
}

#[test]
fn newer_version_is_published_when_its_parent_is_in_use() {
    chain(|| {
        assert_ok!(Draft::default().publish(ALICE));
        assert_ok!(Draft {
            parent: Some(0),
            ..Draft::default()
        }
        .publish(BOB));
        assert_eq!(Records::<Test>::get(1).unwrap().parent, Some(0));
        assert_noop!(
            Draft {
                parent: Some(7),
                ..Draft::default()
            }
            .publish(BOB),
            E::UnknownParent
        );
        assert_ok!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0));
        let late = Draft {
            parent: Some(0),
            ..Draft::default()
        };
        assert_noop!(late.publish(BOB), E::ParentWithdrawn);
    });
}

#[test]
fn dataset_is_refused_when_a_part_of_it_makes_no_sense() {
    chain(|| {
        let draft = Draft::default;
        assert_noop!(Draft { name: b"", ..draft() }.publish(ALICE), E::NameIsEmpty);
        assert_noop!(
            Draft {
                name: b"\xff",
                ..draft()
            }
            .publish(ALICE),
            E::NameIsNotText
        );
        let zero = BlobId::default();
        assert_noop!(
            Draft {
                manifest: zero,
                ..draft()
            }
            .publish(ALICE),
            E::ManifestIsZero
        );
        assert_noop!(
            Draft {
                licence: b"",
                ..draft()
            }
            .publish(ALICE),
            E::LicenceIsNotSpdx
        );
        assert_noop!(
            Draft {
                licence: b"MIT;",
                ..draft()
            }
            .publish(ALICE),
            E::LicenceIsNotSpdx
        );
        assert_noop!(
            Draft {
                shards: shards(&[]),
                ..draft()
            }
            .publish(ALICE),
            E::NoShards
        );
        assert_noop!(
            Draft {
                shards: shards(&[5, 0]),
                ..draft()
            }
            .publish(ALICE),
            E::ShardIsEmpty
        );
        let shard = Shard {
            blob: BlobId([1; 32]),
            bytes: 1,
        };
        let twice: Shards = vec![shard, Shard { bytes: 2, ..shard }].try_into().unwrap();
        assert_noop!(
            Draft {
                shards: twice,
                ..draft()
            }
            .publish(ALICE),
            E::ShardTwice
        );
        let nameless: Shards = vec![Shard { blob: zero, bytes: 1 }].try_into().unwrap();
        assert_noop!(
            Draft {
                shards: nameless,
                ..draft()
            }
            .publish(ALICE),
            E::ShardHashIsZero
        );
        let twins = vec![(BOB, 1), (BOB, 2)];
        assert_noop!(
            Draft {
                contributors: twins,
                ..draft()
            }
            .publish(ALICE),
            E::ContributorTwice
        );
        let light = vec![(BOB, 0)];
        assert_noop!(
            Draft {
                contributors: light,
                ..draft()
            }
            .publish(ALICE),
            E::ContributorWeightIsZero
        );
        assert_eq!(NextDataset::<Test>::get(), 0);
    });
}

#[test]
fn dataset_is_refused_when_it_has_too_many_bytes() {
    chain(|| {
        assert_ok!(Draft {
            shards: shards(&[999, 1]),
            ..Draft::default()
        }
        .publish(ALICE));
        for lengths in [[999, 2], [u64::MAX, 1]] {
            let large = Draft {
                shards: shards(&lengths),
                ..Draft::default()
            };
            assert_noop!(large.publish(ALICE), E::DatasetTooLarge);
        }
    });
}

#[test]
fn dataset_is_refused_when_the_deposit_cannot_be_held() {
    chain(|| {
        assert_noop!(Draft::default().publish(POOR), TokenError::FundsUnavailable);
        assert!(Records::<Test>::get(0).is_none());
    });
}

#[test]
fn only_the_owner_may_train_when_access_is_its_own() {
    chain(|| {
        assert_ok!(Draft::default().publish(ALICE));
        assert_ok!(Draft {
            access: AccessTerms::OwnerOnly,
            ..Draft::default()
        }
        .publish(ALICE));
        assert!(Datasets::contains(&(0, BOB)));
        assert!(Datasets::contains(&(1, ALICE)));
        assert!(!Datasets::contains(&(1, BOB)));
        assert!(!Datasets::contains(&(2, ALICE)));
    });
}
