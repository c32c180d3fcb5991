// SPDX-License-Identifier: Apache-2.0
//! Genesis presets of test chains with well-known keys.
//!
//! | preset | validators |
//! |---|---|
//! | `development` | Alice |
//! | `local` | Alice, Bob, Charlie, Dave |
//!
//! The well-known accounts of Substrate are endowed, and the treasury account exists.

use crate::{
    constants::{TreasuryAccount, EXISTENTIAL_DEPOSIT, UNIT},
    AccountId, Balance, BalancesConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys, ValidatorsConfig,
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// Name of the preset with four validators.
pub const LOCAL_PRESET: &str = "local";

const ENDOWMENT: Balance = 1_000_000 * UNIT;
const BOND: Balance = 100_000 * UNIT;

/// A validator of a preset, with one seed for all of its keys.
struct Validator(Sr25519Keyring, Ed25519Keyring);

impl Validator {
    fn account(&self) -> AccountId {
        self.0.to_account_id()
    }

    fn keys(&self) -> SessionKeys {
        SessionKeys {
            babe: self.0.public().into(),
            grandpa: self.1.public().into(),
            authority_discovery: self.0.public().into(),
            cmte: self.0.public().into(),
        }
    }
}

fn genesis(validators: &[Validator]) -> Value {
    let treasury = (TreasuryAccount::get(), EXISTENTIAL_DEPOSIT);
    let well_known = Sr25519Keyring::well_known().map(|who| (who.to_account_id(), ENDOWMENT));
    build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances: well_known.chain([treasury]).collect::<Vec<_>>()
        },
        validators: ValidatorsConfig {
            bonds: validators
                .iter()
                .map(|validator| (validator.account(), BOND))
                .collect::<Vec<_>>(),
        },
        session: SessionConfig {
            keys: validators
                .iter()
                .map(|validator| (validator.account(), validator.account(), validator.keys()))
                .collect::<Vec<_>>(),
        },
    })
}

/// Returns the names of the presets.
pub fn preset_names() -> Vec<PresetId> {
    vec![DEV_RUNTIME_PRESET.into(), LOCAL_PRESET.into()]
}

/// Returns the preset `id` as a JSON patch of the default genesis, or `None` if there is no such preset.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    let alice = Validator(Sr25519Keyring::Alice, Ed25519Keyring::Alice);
    let patch = match id.as_ref() {
        DEV_RUNTIME_PRESET => genesis(&[alice]),
        LOCAL_PRESET => genesis(&[
            alice,
            Validator(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
            Validator(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
            Validator(Sr25519Keyring::Dave, Ed25519Keyring::Dave),
        ]),
        _ => return None,
    };
    serde_json::to_vec(&patch).ok()
}
