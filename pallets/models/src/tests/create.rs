// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*, model::MAX_HEADER_BYTES, version::VersionStatus, Error, Event, HoldReason, Ledgers, NextModel, Shares,
    Versions,
};
use agorai_primitives::{
    model::{Architecture, ArchitectureError},
    traits::ModelRegistry as _,
    BlobId,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use pallet_support::Nested;

type E = Error<Test>;

#[test]
fn model_is_live_and_its_owner_holds_all_shares_when_it_is_created() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
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
fn model_is_refused_when_its_owner_has_already_registered_the_weights() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_noop!(CreateCall::default().dispatch(ALICE), E::AlreadyRegistered);
        assert_ok!(CreateCall::default().dispatch(BOB));
        assert_ok!(CreateCall {
            weights: weights(2),
            ..CreateCall::default()
        }
        .dispatch(ALICE));
        assert_eq!(NextModel::<Test>::get(), 3);
    });
}

#[test]
fn model_is_refused_when_its_architecture_is_invalid() {
    run_test(|| {
        let invalid = |error| E::Architecture(Nested(error));
        let with = |change: fn(&mut Architecture)| {
            let mut architecture = Architecture::SMALL;
            change(&mut architecture);
            CreateCall {
                architecture,
                ..CreateCall::default()
            }
            .dispatch(ALICE)
        };
        assert_noop!(with(|a| a.layers = 0), invalid(ArchitectureError::Zero));
        assert_noop!(with(|a| a.layers = 1_000), invalid(ArchitectureError::TooLarge));
        assert_noop!(with(|a| a.heads = 3), invalid(ArchitectureError::HeadsDoNotDivideDim));
        assert_noop!(
            with(|a| a.kv_heads = 3),
            invalid(ArchitectureError::KvHeadsDoNotDivideHeads)
        );
    });
}

#[test]
fn model_is_refused_when_its_weights_or_name_are_invalid() {
    run_test(|| {
        let minimum = Architecture::SMALL.parameters() * 4;
        for bytes in [0, minimum - 1, minimum + MAX_HEADER_BYTES + 1, u64::MAX] {
            let call = CreateCall {
                bytes,
                ..CreateCall::default()
            };
            assert_noop!(call.dispatch(ALICE), E::WeightsLengthImplausible);
        }
        let zero_hash = CreateCall {
            weights: BlobId::default(),
            ..CreateCall::default()
        };
        assert_noop!(zero_hash.dispatch(ALICE), E::WeightsHashIsZero);
        assert_noop!(
            CreateCall {
                name: b"",
                ..CreateCall::default()
            }
            .dispatch(ALICE),
            E::NameIsEmpty
        );
        assert_noop!(
            CreateCall {
                name: b"\xfe",
                ..CreateCall::default()
            }
            .dispatch(ALICE),
            E::NameNotPrintable
        );
    });
}
