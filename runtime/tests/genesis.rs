// SPDX-License-Identifier: Apache-2.0
//! The genesis of every preset builds and has the documented content.
#![allow(clippy::unwrap_used)]

use agorai_primitives::traits::SessionMembers;
use agorai_runtime::{
    constants::{TreasuryAccount, EXISTENTIAL_DEPOSIT},
    presets::{get_preset, preset_names},
    AccountId, Babe, Balances, Executive, Grandpa, Header, RuntimeGenesisConfig, Session, System, Validators,
};
use frame_support::genesis_builder_helper::{build_state, get_preset as with_default};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Header as _, Digest, DigestItem};

/// The default genesis with the patch of a preset applied, as in the chain spec of the node.
fn genesis(preset: &str) -> sp_io::TestExternalities {
    let default = with_default::<RuntimeGenesisConfig>(&None, |_| None).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&default).unwrap();
    let patch = get_preset(&preset.into()).unwrap();
    merge(&mut json, serde_json::from_slice(&patch).unwrap());
    let mut ext = sp_io::TestExternalities::default();
    ext.execute_with(|| build_state::<RuntimeGenesisConfig>(serde_json::to_vec(&json).unwrap()))
        .unwrap();
    ext
}

fn merge(into: &mut serde_json::Value, patch: serde_json::Value) {
    match (into, patch) {
        (serde_json::Value::Object(into), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

fn accounts(names: &[Sr25519Keyring]) -> Vec<AccountId> {
    let mut accounts: Vec<_> = names.iter().map(|name| name.to_account_id()).collect();
    accounts.sort();
    accounts
}

#[test]
fn presets_have_the_documented_validators() {
    use Sr25519Keyring::*;
    for (preset, names) in [("development", vec![Alice]), ("local", vec![Alice, Bob, Charlie, Dave])] {
        genesis(preset).execute_with(|| {
            let expected = accounts(&names);
            assert_eq!(Session::validators(), expected);
            assert_eq!(Babe::authorities().len(), expected.len());
            assert_eq!(Grandpa::grandpa_authorities().len(), expected.len());
            let members = <Validators as SessionMembers<AccountId>>::members();
            let eligible: Vec<_> = members.iter().map(|member| member.account.clone()).collect();
            assert_eq!(eligible, expected);
            assert!(members
                .iter()
                .all(|member| { names.iter().any(|name| member.key == name.public().into()) }));
        });
    }
}

#[test]
fn presets_endow_the_well_known_accounts_and_the_treasury() {
    for preset in preset_names() {
        genesis(preset.as_ref()).execute_with(|| {
            assert!(Balances::free_balance(Sr25519Keyring::Eve.to_account_id()) > 0);
            assert_eq!(Balances::free_balance(TreasuryAccount::get()), EXISTENTIAL_DEPOSIT);
        });
    }
}

#[test]
fn unknown_preset_is_refused() {
    assert_eq!(get_preset(&"mainnet".into()), None);
}

#[test]
fn first_block_runs_on_the_genesis() {
    genesis("local").execute_with(|| {
        let digest = sp_consensus_babe::digests::PreDigest::SecondaryPlain(
            sp_consensus_babe::digests::SecondaryPlainPreDigest {
                authority_index: 0,
                slot: 1_000.into(),
            },
        );
        let log = DigestItem::PreRuntime(sp_consensus_babe::BABE_ENGINE_ID, codec::Encode::encode(&digest));
        let header = Header::new(
            1,
            Default::default(),
            Default::default(),
            System::parent_hash(),
            Digest { logs: vec![log] },
        );
        Executive::initialize_block(&header);
        assert_eq!(System::block_number(), 1);
    });
}

#[test]
fn reports_have_a_session_key_of_their_own() {
    let keys: Vec<_> = <agorai_runtime::SessionKeys as sp_runtime::traits::OpaqueKeys>::key_ids()
        .iter()
        .map(|id| id.0)
        .collect();
    assert_eq!(keys, [*b"babe", *b"gran", *b"audi", *b"cmte"]);
}

#[test]
fn pallets_have_the_names_that_polkadot_js_expects() {
    use frame_support::traits::PalletInfoAccess;
    let names: Vec<_> = <agorai_runtime::AllPalletsWithSystem as frame_support::traits::PalletsInfoAccess>::infos()
        .into_iter()
        .map(|info| info.name)
        .collect();
    for name in [
        "Balances",
        "Utility",
        "Preimage",
        "Scheduler",
        "Proxy",
        "Multisig",
        "Validators",
        "Datasets",
        "Models",
        "Verification",
        "Inference",
        "Training",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.contains(&"Sudo"));
    assert_eq!(<System as PalletInfoAccess>::index(), 0);
}
