// SPDX-License-Identifier: GPL-3.0-only
//! `agorai dataset`.

use super::{check_name, submit};
use crate::{
    args::{Cli, Dataset},
    chain::{
        value::{self, Read, Value},
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

/// Workers for whose round a corpus must suffice.
const WORKERS: u32 = 4;

/// A dataset to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Its name.
    pub name: String,
    /// Its SPDX licence.
    pub licence: String,
    /// Of what it is a newer version.
    pub parent: Option<DatasetId>,
    /// The publisher's own manifest.
    pub manifest: Option<Vec<u8>>,
    /// Whether only the owner may train on it.
    pub owner_only: bool,
    /// The text.
    pub files: Vec<CorpusFile>,
}

impl Publication {
    /// Checks everything that can be checked without the chain, and gives the manifest.
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
}

/// A published dataset.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its index.
    pub dataset: DatasetId,
    /// Merkle root over its shards.
    pub root: String,
    /// Its manifest.
    pub manifest: BlobId,
    /// Its shards.
    pub shards: Vec<Shard>,
    /// Bytes of its shards.
    pub bytes: u64,
    /// The block.
    pub block: u32,
}

/// Checks everything, stores the shards and the manifest with the node, and puts the dataset on the chain.
pub async fn publish(chain: &Chain, signer: &Keypair, publication: &Publication, out: &Output) -> Result<Published> {
    let manifest = publication.check()?;
    let files = &publication.files;
    let texts: Vec<&str> = files.iter().flat_map(CorpusFile::shards).collect();
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
    let access = if publication.owner_only { "OwnerOnly" } else { "Open" };
    let owner = Value::unnamed_composite([Value::from_bytes(signer.public_key().0)]);
    let call = Call::new(
        "Datasets",
        "publish",
        [
            ("name", Value::from_bytes(&publication.name)),
            ("parent", value::option(publication.parent.map(value::number))),
            ("manifest", value::blob(&manifest)),
            ("licence", Value::from_bytes(&publication.licence)),
            ("shards", Value::unnamed_composite(shards.iter().map(value::shard))),
            (
                "contributors",
                Value::unnamed_composite([Value::unnamed_composite([owner, value::number(1u32)])]),
            ),
            ("access", value::case(access)),
        ],
    );
    let included = submit(chain, signer, call, "publishing the dataset", out).await?;
    let event = included.event("Datasets", "Published")?;
    Ok(Published {
        dataset: event.number("dataset")?,
        root: event.hash("root")?,
        manifest,
        shards,
        bytes,
        block: included.block,
    })
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
            let publication = Publication {
                name: name.clone(),
                licence: licence.clone(),
                parent: *parent,
                manifest,
                owner_only: *owner_only,
                files,
            };
            publication.check()?;
            let signer = cli.keypair()?;
            let published = publish(&cli.chain().await?, &signer, &publication, out).await?;
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
                    "dataset {} with {} bytes in {} shards, root {}",
                    published.dataset,
                    published.bytes,
                    published.shards.len(),
                    published.root
                ),
            );
        }
        Dataset::List => list(&cli.chain().await?, out).await?,
        Dataset::Withdraw { id } => {
            let call = Call::new("Datasets", "withdraw", [("dataset", value::number(*id))]);
            let signer = cli.keypair()?;
            let chain = cli.chain().await?;
            let included = submit(&chain, &signer, call, "withdrawing the dataset", out).await?;
            out.result(
                &json!({"ok": true, "dataset": id, "block": included.block}),
                format!("dataset {id} is withdrawn"),
            );
        }
    }
    Ok(())
}

async fn list(chain: &Chain, out: &Output) -> Result<()> {
    let mut rows = Vec::new();
    let mut datasets = Vec::new();
    for (keys, record) in chain.entries("Datasets", "Datasets", Vec::new()).await? {
        let id = keys.first().and_then(Read::small::<u32>).unwrap_or_default();
        let status = record
            .field("status")
            .and_then(Read::variant)
            .map(|(name, _)| name.to_owned())
            .unwrap_or_default();
        let text = |name| record.text(name).unwrap_or_default();
        let bytes = record.number::<u64>("bytes").unwrap_or_default();
        let root = record.hash_in("root").unwrap_or_default();
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
            "manifest": record.hash_in("manifest"),
            "parent": record.field("parent").map(Read::json),
        }));
    }
    out.result(
        &json!({"ok": true, "datasets": datasets}),
        table::render(&["id", "name", "licence", "bytes", "status", "root"], &rows),
    );
    Ok(())
}
