// SPDX-License-Identifier: GPL-3.0-only
//! `agorai dataset`: publishes, lists and withdraws datasets.

use super::connection::{check_name, connect, keypair, read, submit};
use crate::{
    args::{Cli, Dataset},
    chain::{
        value::{self, ReadValue, Value},
        Call, Chain,
    },
    corpus::{self, CorpusFile},
    error::{Error, Result},
    manifest,
    output::Output,
    table,
};
use agorai_primitives::{training::Recipe, BlobId, DatasetId, Shard};
use serde_json::json;
use subxt_signer::sr25519::Keypair;

/// Number of workers for one round of which a corpus must suffice.
const WORKERS: u32 = 4;

/// A dataset to publish.
#[derive(Clone, Debug)]
pub struct NewDataset {
    /// The name, 1 to 64 bytes.
    pub name: String,
    /// The SPDX licence expression.
    pub licence: String,
    /// The dataset of which this is a newer version.
    pub parent: Option<DatasetId>,
    /// The publisher's own Croissant manifest; `None` generates one.
    pub manifest: Option<Vec<u8>>,
    /// Whether only the owner may train on it.
    pub owner_only: bool,
    /// The text files.
    pub files: Vec<CorpusFile>,
}

impl NewDataset {
    /// Checks what can be checked without the chain, and returns the manifest.
    pub fn check(&self) -> Result<Vec<u8>> {
        check_name("the name", &self.name)?;
        check_name("the licence", &self.licence)?;
        corpus::check_size(&self.files, &Recipe::SMALL, WORKERS)?;
        match &self.manifest {
            Some(own) => manifest::check(own, &self.files).map(|()| own.clone()),
            None => Ok(manifest::describe(&self.name, &self.licence, &self.files)
                .to_string()
                .into_bytes()),
        }
    }

    /// Returns the call that publishes the dataset of `owner`.
    fn call(&self, owner: [u8; 32], manifest: &BlobId, shards: &[Shard]) -> Call {
        let access = if self.owner_only { "OwnerOnly" } else { "Open" };
        let owner = Value::unnamed_composite([Value::from_bytes(owner)]);
        Call::new(
            "Datasets",
            "publish",
            [
                ("name", Value::from_bytes(&self.name)),
                ("parent", value::option(self.parent.map(value::uint))),
                ("manifest", value::blob(manifest)),
                ("licence", Value::from_bytes(&self.licence)),
                ("shards", Value::unnamed_composite(shards.iter().map(value::shard))),
                (
                    "contributors",
                    Value::unnamed_composite([Value::unnamed_composite([owner, value::uint(1u32)])]),
                ),
                ("access", value::unit_variant(access)),
            ],
        )
    }
}

/// A published dataset.
#[derive(Clone, Debug)]
pub struct PublishedDataset {
    /// The index.
    pub dataset: DatasetId,
    /// The Merkle root over the shards.
    pub root: String,
    /// The manifest.
    pub manifest: BlobId,
    /// The shards.
    pub shards: Vec<Shard>,
    /// Total bytes of the shards.
    pub bytes: u64,
    /// Height of the block that includes the call.
    pub block: u32,
}

/// Checks a dataset, stores its shards and manifest at the node, and registers it on the chain.
pub async fn publish(chain: &Chain, signer: &Keypair, dataset: &NewDataset, out: &Output) -> Result<PublishedDataset> {
    let manifest = dataset.check()?;
    let texts: Vec<&str> = dataset.files.iter().flat_map(CorpusFile::shards).collect();
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    let bar = out.bar("storing the shards", bytes, true);
    let mut shards = Vec::with_capacity(texts.len());
    for text in texts {
        let blob = BlobId::of(text.as_bytes());
        if !chain.rpc().blob_has(&blob).await? {
            chain.rpc().blob_put(text.as_bytes()).await?;
        }
        bar.inc(text.len() as u64);
        shards.push(Shard {
            blob,
            bytes: text.len() as u64,
        });
    }
    bar.finish_and_clear();
    let manifest = chain.rpc().blob_put(&manifest).await?;
    let call = dataset.call(signer.public_key().0, &manifest, &shards);
    let included = submit(chain, signer, call, "publishing the dataset", out).await?;
    let event = included.event("Datasets", "Published")?;
    Ok(PublishedDataset {
        dataset: event.uint("dataset")?,
        root: event.hash("root")?,
        manifest,
        shards,
        bytes,
        block: included.block,
    })
}

fn withdraw_call(dataset: DatasetId) -> Call {
    Call::new("Datasets", "withdraw", [("dataset", value::uint(dataset))])
}

/// Runs a command of this group.
pub async fn run(cli: &Cli, command: &Dataset, out: &Output) -> Result<()> {
    match command {
        Dataset::Publish {
            files,
            name,
            licence,
            parent,
            manifest,
            owner_only,
        } => {
            let files = files
                .iter()
                .map(|path| CorpusFile::read(path))
                .collect::<Result<Vec<_>>>()?;
            let manifest =
                match manifest {
                    Some(path) => Some(std::fs::read(path).map_err(|e| {
                        Error::usage("ManifestUnreadable", format!("cannot read {}: {e}", path.display()))
                    })?),
                    None => None,
                };
            let dataset = NewDataset {
                name: name.clone(),
                licence: licence.clone(),
                parent: *parent,
                manifest,
                owner_only: *owner_only,
                files,
            };
            // Before the connection, so that invalid input is reported without a node.
            dataset.check()?;
            let signer = keypair(cli)?;
            let published = publish(&connect(cli).await?, &signer, &dataset, out).await?;
            out.result(
                &json!({
                    "ok": true,
                    "dataset": published.dataset,
                    "root": published.root,
                    "manifest": published.manifest.to_string(),
                    "shards": published.shards.len(),
                    "bytes": published.bytes,
                    "block": published.block,
                }),
                format!(
                    "published dataset {}: {} bytes in {} shards, root {}",
                    published.dataset,
                    published.bytes,
                    published.shards.len(),
                    published.root
                ),
            );
        }
        Dataset::List => {
            let chain = connect(cli).await?;
            read("the list of datasets", list(&chain, out)).await?;
        }
        Dataset::Withdraw { id } => {
            let signer = keypair(cli)?;
            let chain = connect(cli).await?;
            let included = submit(&chain, &signer, withdraw_call(*id), "withdrawing the dataset", out).await?;
            out.result(
                &json!({"ok": true, "dataset": id, "block": included.block}),
                format!("withdrew dataset {id}"),
            );
        }
    }
    Ok(())
}

async fn list(chain: &Chain, out: &Output) -> Result<()> {
    let mut rows = Vec::new();
    let mut datasets = Vec::new();
    for (keys, record) in chain.entries("Datasets", "Datasets", Vec::new()).await? {
        let id: DatasetId = keys.first().and_then(ReadValue::uint_as).unwrap_or_default();
        let status = record
            .field("status")
            .and_then(ReadValue::variant)
            .map(|(name, _)| name.to_owned())
            .unwrap_or_default();
        let text = |name| record.text_field(name).unwrap_or_default();
        let bytes: u64 = record.uint_field("bytes").unwrap_or_default();
        let root = record.hash_field("root").unwrap_or_default();
        rows.push(vec![
            id.to_string(),
            text("name"),
            text("licence"),
            bytes.to_string(),
            status.clone(),
            root.chars().take(16).collect(),
        ]);
        datasets.push(json!({
            "dataset": id,
            "name": text("name"),
            "licence": text("licence"),
            "bytes": bytes,
            "status": status,
            "root": root,
            "manifest": record.hash_field("manifest"),
            "parent": record.field("parent").map(ReadValue::json),
        }));
    }
    out.result(
        &json!({"ok": true, "datasets": datasets}),
        table::render(&["id", "name", "licence", "bytes", "status", "root"], &rows),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime::{assert_call, assert_event, assert_storage};

    #[test]
    fn names_of_the_datasets_pallet_exist_in_the_runtime() {
        let dataset = NewDataset {
            name: "n".to_owned(),
            licence: "MIT".to_owned(),
            parent: Some(1),
            manifest: None,
            owner_only: true,
            files: Vec::new(),
        };
        let blob = BlobId([1; 32]);
        assert_call(&dataset.call([1; 32], &blob, &[Shard { blob, bytes: 5 }]));
        assert_call(&withdraw_call(1));
        assert_event("Datasets", "Published", &["dataset", "root"]);
        let fields = ["status", "name", "licence", "bytes", "root", "manifest", "parent"];
        assert_storage("Datasets", "Datasets", &fields);
    }
}
