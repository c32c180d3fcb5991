// SPDX-License-Identifier: GPL-3.0-only
//! The chain spec that `--chain` selects.

use agorai_runtime::{presets::LOCAL_PRESET, WASM_BINARY};
use sc_service::{ChainType, GenericChainSpec, Properties};
use std::path::Path;

/// A chain spec whose genesis is built from a preset of the runtime.
pub type ChainSpec = GenericChainSpec;

const DEVELOPMENT_PRESET: &str = "development";

/// Loads the chain spec `id`: `dev`, `local`, or the path of a file.
pub fn load(id: &str) -> Result<ChainSpec, String> {
    match id {
        "" => Err(
            "no chain selected: use `--chain dev`, `--chain local`, or `--chain PATH` with a chain spec written by \
             `export-chain-spec`"
                .into(),
        ),
        "dev" => from_preset(
            "Agorai Development",
            "agorai_dev",
            ChainType::Development,
            DEVELOPMENT_PRESET,
        ),
        "local" => from_preset("Agorai Local", "agorai_local", ChainType::Local, LOCAL_PRESET),
        path if Path::new(path).is_file() => {
            ChainSpec::from_json_file(path.into()).map_err(|error| format!("`{path}` is not a chain spec: {error}"))
        }
        path => Err(format!(
            "no chain or file is named `{path}`: use `dev`, `local`, or the path of a chain spec written by \
             `export-chain-spec`"
        )),
    }
}

fn from_preset(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, String> {
    let code = WASM_BINARY.ok_or(
        "this node was built without a runtime (SKIP_WASM_BUILD): rebuild it with the runtime, or use `--chain PATH` \
         with a chain spec",
    )?;
    Ok(ChainSpec::builder(code, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(kind)
        .with_protocol_id("agorai")
        .with_properties(token_properties())
        .with_genesis_config_preset_name(preset)
        .build())
}

/// The native token's symbol, decimals and address format, which wallets display.
fn token_properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "AGO".into());
    properties.insert("tokenDecimals".into(), 12.into());
    properties.insert("ss58Format".into(), 42.into());
    properties
}

#[cfg(test)]
mod tests {
    use super::*;
    use sc_service::ChainSpec as _;

    #[test]
    fn genesis_of_built_in_chains_builds() {
        for (name, id) in [("dev", "agorai_dev"), ("local", "agorai_local")] {
            let spec = load(name).unwrap();
            assert_eq!(spec.id(), id);
            assert!(!spec.as_storage_builder().build_storage().unwrap().top.is_empty());
        }
    }

    #[test]
    fn chain_spec_round_trips_through_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.json");
        std::fs::write(&path, load("local").unwrap().as_json(true).unwrap()).unwrap();
        let read = load(path.to_str().unwrap()).unwrap();
        assert_eq!(read.name(), "Agorai Local");
    }

    #[test]
    fn unknown_chain_is_refused_with_a_hint() {
        for wrong in ["", "mainnet", "/no/such/file.json"] {
            let error = load(wrong).err().unwrap();
            assert!(error.contains("export-chain-spec"), "{error}");
        }
    }

    #[test]
    fn file_is_refused_when_it_is_not_a_chain_spec() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.json");
        std::fs::write(&path, "{\"name\": 3}").unwrap();
        let error = load(path.to_str().unwrap()).err().unwrap();
        assert!(error.contains("not a chain spec"), "{error}");
    }
}
