// SPDX-License-Identifier: GPL-3.0-only
//! Which chain `--chain` names.

use agorai_runtime::{presets::LOCAL_PRESET, WASM_BINARY};
use sc_service::{ChainType, GenericChainSpec, Properties};
use std::path::Path;

/// A chain's specification; the genesis comes from a preset of the runtime.
pub type ChainSpec = GenericChainSpec;

const DEVELOPMENT_PRESET: &str = "development";

/// The chain named `id`: `dev`, `local`, or the path of a specification.
pub fn load(id: &str) -> Result<ChainSpec, String> {
    match id {
        "" => Err(
            "say which chain: `--chain dev`, `--chain local`, or `--chain PATH` of a \
             specification made by `export-chain-spec`"
                .into(),
        ),
        "dev" => from_preset(
            "Agorai Development",
            "agorai_dev",
            ChainType::Development,
            DEVELOPMENT_PRESET,
        ),
        "local" => from_preset("Agorai Local", "agorai_local", ChainType::Local, LOCAL_PRESET),
        path if Path::new(path).is_file() => ChainSpec::from_json_file(path.into())
            .map_err(|error| format!("`{path}` is not a chain specification: {error}")),
        path => Err(format!(
            "there is no chain and no file named `{path}`: use `dev`, `local`, or the path of a \
             specification made by `export-chain-spec`"
        )),
    }
}

fn from_preset(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, String> {
    let code = WASM_BINARY.ok_or(
        "this node was built without a runtime (SKIP_WASM_BUILD): build it again without that, or \
         pass `--chain PATH` of a specification",
    )?;
    Ok(ChainSpec::builder(code, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(kind)
        .with_protocol_id("agorai")
        .with_properties(token())
        .with_genesis_config_preset_name(preset)
        .build())
}

/// How wallets show the native token.
fn token() -> Properties {
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
    fn known_chains_build_their_genesis() {
        for (name, id) in [("dev", "agorai_dev"), ("local", "agorai_local")] {
            let spec = load(name).unwrap();
            assert_eq!(spec.id(), id);
            assert!(!spec.as_storage_builder().build_storage().unwrap().top.is_empty());
        }
    }

    #[test]
    fn specification_survives_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.json");
        std::fs::write(&path, load("local").unwrap().as_json(true).unwrap()).unwrap();
        let read = load(path.to_str().unwrap()).unwrap();
        assert_eq!(read.name(), "Agorai Local");
    }

    #[test]
    fn unknown_chain_is_refused_with_what_to_do() {
        for wrong in ["", "mainnet", "/no/such/file.json"] {
            let error = load(wrong).err().unwrap();
            assert!(error.contains("export-chain-spec"), "{error}");
        }
    }

    #[test]
    fn file_that_is_no_specification_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.json");
        std::fs::write(&path, "{\"name\": 3}").unwrap();
        let error = load(path.to_str().unwrap()).err().unwrap();
        assert!(error.contains("not a chain specification"), "{error}");
    }
}
