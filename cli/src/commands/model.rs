// SPDX-License-Identifier: GPL-3.0-only
//! `agorai model`: creates, lists, shows, promotes and retires models.

use super::connection::{check_name, connect, keypair, read, submit};
use crate::{
    args::{Cli, Model, Promotion, Size},
    chain::{
        value::{self, ReadValue, Value},
        Call, Chain, Included,
    },
    error::{Error, ErrorKind, Result},
    output::Output,
    table, weights,
};
use agorai_primitives::{model::Architecture, BlobId, ModelId, VersionIndex};
use serde_json::json;
use subxt_signer::sr25519::Keypair;

/// A model to create.
#[derive(Clone, Debug)]
pub struct NewModel {
    /// The name, 1 to 64 bytes.
    pub name: String,
    /// The architecture.
    pub architecture: Architecture,
    /// The initial weights, a safetensors file.
    pub weights: Vec<u8>,
    /// The price of a token, in the smallest unit.
    pub price: u128,
    /// The rule by which a version becomes live.
    pub promotion: Promotion,
}

impl NewModel {
    /// Returns the call that registers the model with the initial weights `weights`.
    fn call(&self, weights: &BlobId) -> Call {
        let promotion = match self.promotion {
            Promotion::Owner => "Owner",
            Promotion::LossFell => "IfLossFell",
        };
        Call::new(
            "Models",
            "create",
            [
                ("name", Value::from_bytes(&self.name)),
                ("architecture", value::architecture(&self.architecture)),
                ("weights", value::blob(weights)),
                ("weights_bytes", value::uint(self.weights.len() as u64)),
                ("price", value::uint(self.price)),
                ("promotion", value::unit_variant(promotion)),
            ],
        )
    }
}

/// A created model.
#[derive(Clone, Debug)]
pub struct CreatedModel {
    /// The index.
    pub model: ModelId,
    /// The initial weights.
    pub weights: BlobId,
    /// Height of the block that includes the call.
    pub block: u32,
}

/// Stores the weights at the node and registers the model.
pub async fn create(chain: &Chain, signer: &Keypair, model: &NewModel, out: &Output) -> Result<CreatedModel> {
    check_name("the name", &model.name)?;
    let spinner = out.spinner("storing the weights");
    let stored = chain.rpc().blob_put(&model.weights).await;
    spinner.finish_and_clear();
    let weights = stored?;
    let included = submit(chain, signer, model.call(&weights), "registering the model", out).await?;
    let event = included.event("Models", "Created")?;
    Ok(CreatedModel {
        model: event.uint("model")?,
        weights,
        block: included.block,
    })
}

/// A model as the chain records it.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The record.
    pub record: Value,
    /// The live version, if there is one.
    pub live: Option<VersionIndex>,
    /// The price of a token, in the smallest unit.
    pub price: u128,
    /// The maximum length of a sequence, in tokens.
    pub context: u32,
}

/// Reads a model; fails with `UnknownModel` if there is none.
pub async fn info(chain: &Chain, model: ModelId) -> Result<ModelInfo> {
    let record = chain
        .read("Models", "Models", vec![value::uint(model)])
        .await?
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Refused,
                "UnknownModel",
                format!("no model has the index {model}"),
            )
            .hint("list the models with: agorai model list")
        })?;
    let live = match record.field("live").and_then(ReadValue::variant) {
        Some(("Some", version)) => version.values().next().and_then(ReadValue::uint_as),
        Some(_) => None,
        None => record.uint_field("live"),
    };
    Ok(ModelInfo {
        live,
        price: record.uint_field("price").unwrap_or_default(),
        context: record
            .field("architecture")
            .and_then(|architecture| architecture.uint_field("context"))
            .unwrap_or_default(),
        record,
    })
}

/// Reads the id of the weights of a version, if the model has that version.
pub async fn version_weights(chain: &Chain, model: ModelId, version: VersionIndex) -> Result<Option<String>> {
    let keys = vec![value::uint(model), value::uint(version)];
    let record = chain.read("Models", "Versions", keys).await?;
    Ok(record.and_then(|record| record.hash_field("weights")))
}

fn promote_call(model: ModelId, version: VersionIndex) -> Call {
    let arguments = [("model", value::uint(model)), ("version", value::uint(version))];
    Call::new("Models", "promote", arguments)
}

fn retire_call(model: ModelId) -> Call {
    Call::new("Models", "retire", [("model", value::uint(model))])
}

/// Runs a command of this group.
pub async fn run(cli: &Cli, command: &Model, out: &Output) -> Result<()> {
    match command {
        Model::Create {
            name,
            size,
            seed,
            weights: file,
            price,
            promotion,
        } => {
            let architecture = match size {
                Size::Small => Architecture::SMALL,
            };
            let bytes = match file {
                Some(path) => weights::read(&architecture, path)?,
                None => weights::initialize(&architecture, *seed)?,
            };
            let model = NewModel {
                name: name.clone(),
                architecture,
                weights: bytes,
                price: *price,
                promotion: *promotion,
            };
            let signer = keypair(cli)?;
            let created = create(&connect(cli).await?, &signer, &model, out).await?;
            out.result(
                &json!({
                    "ok": true,
                    "model": created.model,
                    "weights": created.weights.to_string(),
                    "parameters": architecture.parameters(),
                    "block": created.block,
                }),
                format!(
                    "created model {} with {} parameters, weights {}",
                    created.model,
                    architecture.parameters(),
                    created.weights
                ),
            );
            Ok(())
        }
        Model::List => {
            let chain = connect(cli).await?;
            read("the list of models", list(&chain, out)).await
        }
        Model::Show { id } => {
            let chain = connect(cli).await?;
            read(&format!("the versions of model {id}"), show(&chain, *id, out)).await
        }
        Model::Promote { id, version } => {
            let included = sign_and_submit(cli, promote_call(*id, *version), "promoting the version", out).await?;
            out.result(
                &json!({"ok": true, "model": id, "version": version, "block": included.block}),
                format!("version {version} of model {id} is live"),
            );
            Ok(())
        }
        Model::Retire { id } => {
            let included = sign_and_submit(cli, retire_call(*id), "retiring the model", out).await?;
            out.result(
                &json!({"ok": true, "model": id, "block": included.block}),
                format!("retired model {id}"),
            );
            Ok(())
        }
    }
}

async fn sign_and_submit(cli: &Cli, call: Call, title: &str, out: &Output) -> Result<Included> {
    let signer = keypair(cli)?;
    submit(&connect(cli).await?, &signer, call, title, out).await
}

async fn list(chain: &Chain, out: &Output) -> Result<()> {
    let (mut rows, mut models) = (Vec::new(), Vec::new());
    for (keys, record) in chain.entries("Models", "Models", Vec::new()).await? {
        let id = keys.first().and_then(ReadValue::uint_as::<u32>).unwrap_or_default();
        let name = record.text_field("name").unwrap_or_default();
        let live = record.field("live").map(ReadValue::json).unwrap_or_default();
        let price: u128 = record.uint_field("price").unwrap_or_default();
        rows.push(vec![
            id.to_string(),
            name.clone(),
            live.to_string(),
            table::tokens(price),
        ]);
        models.push(json!({
            "model": id,
            "name": name,
            "live": live,
            "price": price.to_string(),
        }));
    }
    out.result(
        &json!({"ok": true, "models": models}),
        table::render(&["id", "name", "live version", "AGO per token"], &rows),
    );
    Ok(())
}

/// Converts micro-nats to nats.
pub fn nats(micro: u64) -> f64 {
    micro as f64 / 1e6
}

async fn show(chain: &Chain, id: ModelId, out: &Output) -> Result<()> {
    let info = info(chain, id).await?;
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for (keys, record) in chain.entries("Models", "Versions", vec![value::uint(id)]).await? {
        let version = keys.last().and_then(ReadValue::uint_as::<u32>).unwrap_or_default();
        let weights = record.hash_field("weights").unwrap_or_default();
        // The losses are nested in the part of the record that describes the origin of the version.
        let loss = |name: &str| find_uint(&record, name).map(nats);
        let shown = |loss: Option<f64>| loss.map_or("-".to_owned(), |loss| format!("{loss:.4}"));
        let (before, after) = (loss("loss_before"), loss("loss_after"));
        rows.push(vec![
            version.to_string(),
            if info.live == Some(version) { "live" } else { "" }.to_owned(),
            shown(before),
            shown(after),
            weights.clone(),
        ]);
        versions.push(json!({
            "version": version,
            "live": info.live == Some(version),
            "weights": weights,
            "loss_before": before,
            "loss_after": after,
        }));
    }
    let mut record = info.record.json();
    if let Some(name) = info.record.text_field("name") {
        record["name"] = name.into();
    }
    let heading = format!(
        "model {id}: {}, {} AGO per token",
        record["name"].as_str().unwrap_or_default(),
        table::tokens(info.price)
    );
    let versions_table = table::render(&["version", "", "loss before", "loss after", "weights"], &rows);
    out.result(
        &json!({"ok": true, "model": id, "record": record, "versions": versions}),
        format!("{heading}\n{versions_table}"),
    );
    Ok(())
}

/// Returns the first unsigned integer in a field `name` at any depth of a record.
fn find_uint(value: &Value, name: &str) -> Option<u64> {
    use subxt::ext::scale_value::ValueDef;
    if let Some(number) = value.uint_field(name) {
        return Some(number);
    }
    match &value.value {
        ValueDef::Composite(fields) => fields.values().find_map(|v| find_uint(v, name)),
        ValueDef::Variant(variant) => variant.values.values().find_map(|v| find_uint(v, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime::{assert_call, assert_event, assert_storage};

    #[test]
    fn names_of_the_models_pallet_exist_in_the_runtime() {
        for promotion in [Promotion::Owner, Promotion::LossFell] {
            let model = NewModel {
                name: "n".to_owned(),
                architecture: Architecture::SMALL,
                weights: Vec::new(),
                price: 1,
                promotion,
            };
            assert_call(&model.call(&BlobId([1; 32])));
        }
        assert_call(&promote_call(1, 2));
        assert_call(&retire_call(1));
        assert_event("Models", "Created", &["model"]);
        assert_storage("Models", "Models", &["name", "live", "price", "architecture"]);
        assert_storage("Models", "Versions", &["weights"]);
    }
}
