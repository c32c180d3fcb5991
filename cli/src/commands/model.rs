// SPDX-License-Identifier: GPL-3.0-only
//! `agorai model`.

use super::{check_name, submit};
use crate::{
    args::{Cli, Model, Promotion, Size},
    chain::{
        value::{self, Read, Value},
        Call, Chain, Included,
    },
    error::{Error, Kind, Result},
    output::Output,
    table, weights,
};
use agorai_primitives::{model::Architecture, BlobId, ModelId, VersionIndex};
use serde_json::json;
use subxt_signer::sr25519::Keypair;

/// A model to create.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: Architecture,
    /// Its first weights, a safetensors file.
    pub weights: Vec<u8>,
    /// Price of a token.
    pub price: u128,
    /// Who decides that a version becomes live.
    pub promotion: Promotion,
}

/// A created model.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its index.
    pub model: ModelId,
    /// Its first weights.
    pub weights: BlobId,
    /// The block.
    pub block: u32,
}

/// Stores the weights with the node and registers the model.
pub async fn create(chain: &Chain, signer: &Keypair, creation: &Creation, out: &Output) -> Result<Created> {
    check_name("the name", &creation.name)?;
    let spinner = out.spinner("storing the weights");
    let stored = chain.rpc().blob_put(&creation.weights).await;
    spinner.finish_and_clear();
    let weights = stored?;
    let promotion = match creation.promotion {
        Promotion::Owner => "Owner",
        Promotion::LossFell => "IfLossFell",
    };
    let call = Call::new(
        "Models",
        "create",
        [
            ("name", Value::from_bytes(&creation.name)),
            ("architecture", value::architecture(&creation.architecture)),
            ("weights", value::blob(&weights)),
            ("weights_bytes", value::number(creation.weights.len() as u64)),
            ("price", value::number(creation.price)),
            ("promotion", value::case(promotion)),
        ],
    );
    let included = submit(chain, signer, call, "registering the model", out).await?;
    let event = included.event("Models", "Created")?;
    Ok(Created {
        model: event.number("model")?,
        weights,
        block: included.block,
    })
}

/// A model as the chain has it.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its record.
    pub record: Value,
    /// The live version, if there is one.
    pub live: Option<VersionIndex>,
    /// Price of a token.
    pub price: u128,
    /// Most positions of a sequence.
    pub context: u32,
}

/// Reads a model; an unknown one is an error of its own.
pub async fn info(chain: &Chain, model: ModelId) -> Result<Info> {
    let record = chain
        .read("Models", "Models", vec![value::number(model)])
        .await?
        .ok_or_else(|| {
            Error::new(Kind::Refused, "UnknownModel", format!("no model has the index {model}"))
                .hint("list the models with: agorai model list")
        })?;
    let live = match record.field("live").and_then(Read::variant) {
        Some(("Some", version)) => version.values().next().and_then(Read::small),
        Some(_) => None,
        None => record.number("live"),
    };
    Ok(Info {
        live,
        price: record.number("price").unwrap_or_default(),
        context: record
            .field("architecture")
            .and_then(|architecture| architecture.number("context"))
            .unwrap_or_default(),
        record,
    })
}

/// Reads the weights' name of a version.
pub async fn version_weights(chain: &Chain, model: ModelId, version: VersionIndex) -> Result<Option<String>> {
    let keys = vec![value::number(model), value::number(version)];
    let record = chain.read("Models", "Versions", keys).await?;
    Ok(record.and_then(|record| record.hash_in("weights")))
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
                None => weights::fresh(&architecture, *seed)?,
            };
            let creation = Creation {
                name: name.clone(),
                architecture,
                weights: bytes,
                price: *price,
                promotion: *promotion,
            };
            let signer = cli.keypair()?;
            let created = create(&cli.chain().await?, &signer, &creation, out).await?;
            out.result(
                &json!({
                    "ok": true,
                    "model": created.model,
                    "weights": created.weights.to_string(),
                    "parameters": architecture.parameters(),
                    "block": created.block,
                }),
                format!(
                    "model {} with {} parameters, weights {}",
                    created.model,
                    architecture.parameters(),
                    created.weights
                ),
            );
            Ok(())
        }
        Model::List => list(&cli.chain().await?, out).await,
        Model::Show { id } => show(&cli.chain().await?, *id, out).await,
        Model::Promote { id, version } => {
            let arguments = [("model", value::number(*id)), ("version", value::number(*version))];
            let call = Call::new("Models", "promote", arguments);
            let included = signed(cli, call, "promoting the version", out).await?;
            out.result(
                &json!({"ok": true, "model": id, "version": version, "block": included.block}),
                format!("version {version} of model {id} is live"),
            );
            Ok(())
        }
        Model::Retire { id } => {
            let call = Call::new("Models", "retire", [("model", value::number(*id))]);
            let included = signed(cli, call, "retiring the model", out).await?;
            out.result(
                &json!({"ok": true, "model": id, "block": included.block}),
                format!("model {id} is retired"),
            );
            Ok(())
        }
    }
}

async fn signed(cli: &Cli, call: Call, title: &str, out: &Output) -> Result<Included> {
    let signer = cli.keypair()?;
    submit(&cli.chain().await?, &signer, call, title, out).await
}

async fn list(chain: &Chain, out: &Output) -> Result<()> {
    let (mut rows, mut models) = (Vec::new(), Vec::new());
    for (keys, record) in chain.entries("Models", "Models", Vec::new()).await? {
        let id = keys.first().and_then(Read::small::<u32>).unwrap_or_default();
        let name = record.text("name").unwrap_or_default();
        let live = record.field("live").map(Read::json).unwrap_or_default();
        let price: u128 = record.number("price").unwrap_or_default();
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
        table::render(&["id", "name", "live version", "AGO a token"], &rows),
    );
    Ok(())
}

/// Micro-nats as nats.
pub fn nats(micro: u64) -> f64 {
    micro as f64 / 1e6
}

async fn show(chain: &Chain, id: ModelId, out: &Output) -> Result<()> {
    let info = info(chain, id).await?;
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for (keys, record) in chain.entries("Models", "Versions", vec![value::number(id)]).await? {
        let version = keys.last().and_then(Read::small::<u32>).unwrap_or_default();
        let weights = record.hash_in("weights").unwrap_or_default();
        // The losses stand in whatever part of the record says what produced the version.
        let loss = |name: &str| find_number(&record, name).map(nats);
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
    if let Some(name) = info.record.text("name") {
        record["name"] = name.into();
    }
    let heading = format!(
        "model {id}: {}, {} AGO a token",
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

/// The number in field `name`, wherever it stands in a record.
fn find_number(value: &Value, name: &str) -> Option<u64> {
    use subxt::ext::scale_value::ValueDef;
    if let Some(number) = value.number(name) {
        return Some(number);
    }
    match &value.value {
        ValueDef::Composite(fields) => fields.values().find_map(|v| find_number(v, name)),
        ValueDef::Variant(variant) => variant.values.values().find_map(|v| find_number(v, name)),
        _ => None,
    }
}
