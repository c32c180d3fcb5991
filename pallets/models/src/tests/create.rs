// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    types::{VersionStatus, MAX_HEADER_BYTES},
    Error, Event, HoldReason, Ledgers, NextModel, Shares, Versions,
};
use agorai_primitives::{model::Architecture, traits::ModelRegistry as _, BlobId};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};

type E = Error<Test>;

#[test]
fn model_is_live_and_its_owner_holds_all_shares_when_it_is_created() {
    chain(|| {
        assert_ok!(Draft::default().create(ALICE));
        System::assert_has_event(
            Event::Created {
                model: 0,
                owner: ALICE,
                weights: weights(1),
            }
            .into(),
        );
        let live = Models::live(0).unwrap();
        assert_eq!(
            (live.owner, live.version, live.weights, live.price),
            (ALICE, 0, weights(1), 7)
        );
        assert_eq!(Versions::<Test>::get(0, 0).unwrap().status, VersionStatus::Live);
        assert_eq!(Shares::<Test>::get(0, ALICE).shares, 1_000);
        assert_eq!(Ledgers::<Test>::get(0).issued, 1_000);
        assert_eq!(Balances::balance_on_hold(&HoldReason::Record.into(), &ALICE), 500);
        assert_eq!(Balances::free_balance(Models::pot_of(0)), EXISTENTIAL);
        assert!(Models::lineage_datasets(0, 0).is_empty());
    });
}

#[test]
fn model_is_refused_when_its_owner_has_registered_the_weights() {
    chain(|| {
        assert_ok!(Draft::default().create(ALICE));
        assert_noop!(Draft::default().create(ALICE), E::AlreadyRegistered);
        assert_ok!(Draft::default().create(BOB));
        assert_ok!(Draft {
            weights: weights(2),
            ..Draft::default()
        }
        .create(ALICE));
        assert_eq!(NextModel::<Test>::get(), 3);
    });
}

#[test]
fn model_is_refused_with_the_reason_when_its_architecture_makes_no_sense() {
    chain(|| {
        let with = |change: fn(&mut Architecture)| {
            let mut architecture = Architecture::SMALL;
            change(&mut architecture);
            Draft {
                architecture,
                ..Draft::default()
            }
            .create(ALICE)
        };
        assert_noop!(with(|a| a.layers = 0), E::ArchitectureSizeIsZero);
        assert_noop!(with(|a| a.layers = 1_000), E::ArchitectureTooLarge);
        assert_noop!(with(|a| a.heads = 3), E::HeadsDoNotDivideDim);
        assert_noop!(with(|a| a.kv_heads = 3), E::KvHeadsDoNotDivideHeads);
    });
}

#[test]
fn model_is_refused_when_its_weights_cannot_be_its_parameters() {
    chain(|| {
        let least = Architecture::SMALL.parameters() * 4;
        for bytes in [0, least - 1, least + MAX_HEADER_BYTES + 1, u64::MAX] {
            let draft = Draft {
                bytes,
                ..Draft::default()
            };
            assert_noop!(draft.create(ALICE), E::WeightsLengthImplausible);
        }
        let nameless = Draft {
            weights: BlobId::default(),
            ..Draft::default()
        };
        assert_noop!(nameless.create(ALICE), E::WeightsHashIsZero);
        assert_noop!(
            Draft {
                name: b"",
                ..Draft::default()
            }
            .create(ALICE),
            E::NameIsEmpty
        );
        assert_noop!(
            Draft {
                name: b"\xfe",
                ..Draft::default()
            }
            .create(ALICE),
            E::NameIsNotText
        );
    });
}
