// SPDX-License-Identifier: GPL-3.0-only
//! The connection to a node: submitting calls and reading finalised state.

use super::{
    event::{self, Event},
    fault::{no_answer, unknown_runtime},
    refusal,
    rpc::Rpc,
    value::{ReadValue, Value},
};
use crate::{
    deadline::{Awaited, Deadline},
    error::{Error, Result},
};
use std::sync::Arc;
use subxt::{
    backend::LegacyBackend, client::OnlineClientAtBlock, dynamic, error::StorageError, ext::scale_value::Composite,
    transactions::TransactionStatus, OnlineClient, SubstrateConfig,
};
use subxt_signer::sr25519::Keypair;

/// A call of a pallet with named arguments.
#[derive(Clone, Debug)]
pub struct Call {
    /// The pallet's name.
    pub pallet: &'static str,
    /// The call's name.
    pub name: &'static str,
    /// The arguments by name, in the order of the call.
    pub arguments: Vec<(&'static str, Value)>,
}

impl Call {
    /// Returns the call `pallet.name(arguments)`.
    pub fn new(
        pallet: &'static str,
        name: &'static str,
        arguments: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Self {
        Self {
            pallet,
            name,
            arguments: arguments.into_iter().collect(),
        }
    }

    /// Returns `pallet.name`.
    pub fn title(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }
}

/// A call that succeeded in a finalised block.
#[derive(Clone, Debug)]
pub struct Included {
    /// Height of the block.
    pub block: u32,
    /// Events of the call.
    pub events: Vec<Event>,
}

impl Included {
    /// Returns the first event `pallet.name`, or `UnknownRuntime` if the call emitted none.
    pub fn event(&self, pallet: &str, name: &str) -> Result<&Event> {
        self.events
            .iter()
            .find(|event| event.is(pallet, name))
            .ok_or_else(|| unknown_runtime(format!("the call emitted no event {pallet}.{name}")))
    }
}

/// A connection to a node.
#[derive(Clone)]
pub struct Chain {
    api: OnlineClient<SubstrateConfig>,
    rpc: Rpc,
}

impl Chain {
    /// Connects to the node at `url` (`ws://host:port`) and reads the genesis hash.
    pub async fn connect(url: &str, deadline: Deadline) -> Result<Self> {
        let rpc = Rpc::connect(url, deadline).await?;
        let backend = LegacyBackend::builder().build(rpc.client());
        let awaited = Awaited::new(
            format!("the node at {url}, which accepts the connection but does not answer"),
            "see the node's log, or name another node with --url ws://HOST:PORT",
        );
        let api = deadline
            .limit(&awaited, async {
                OnlineClient::from_backend(Arc::new(backend))
                    .await
                    .map_err(|e| no_answer(&format!("read the genesis hash from {url}"), e))
            })
            .await?;
        Ok(Self { api, rpc })
    }

    /// Returns the node's own methods: blobs and provisional text.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Signs and submits `call`, waits until it is in a finalised block, and returns its events.
    ///
    /// `progress` is called with each new status. Fails with the chain's error if the call is refused, and with
    /// `Timeout` if the deadline expires; the error then says whether submission, inclusion or finality was missing.
    pub async fn submit(
        &self,
        signer: &Keypair,
        call: Call,
        deadline: Deadline,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Included> {
        let title = call.title();
        let payload = dynamic::tx(call.pallet, call.name, Composite::named(call.arguments));
        let awaited = Awaited::new(
            format!("the node at {} to accept {title}", self.rpc.url()),
            "check that the node is synchronised; the call may be submitted: check its effect before you repeat it",
        );
        let mut status = deadline
            .limit(&awaited, async {
                let mut transactions = self
                    .api
                    .transactions()
                    .await
                    .map_err(|e| no_answer("read the chain's metadata", e))?;
                transactions
                    .sign_and_submit_then_watch_default(&payload, signer)
                    .await
                    .map_err(|e| refusal::of_submission(&title, e))
            })
            .await?;
        let hint = format!(
            "extrinsic {:?} was submitted and may still be executed: check its effect before you repeat it",
            status.extrinsic_hash()
        );
        let lost = |e: Error| e.hint(hint.clone());
        let mut awaited = Awaited::new(format!("{title} to be included in a block"), hint.clone());
        loop {
            let next = deadline.limit(&awaited, async { Ok(status.next().await) }).await?;
            let Some(next) = next else {
                let message = format!("the node stopped reporting the status of {title}");
                return Err(lost(Error::unreachable("NoAnswer", message)));
            };
            match next.map_err(|e| lost(no_answer(&format!("follow {title}"), e)))? {
                TransactionStatus::InFinalizedBlock(block) => {
                    awaited.what = format!("the events of {title}");
                    let read = async {
                        let at = block
                            .at()
                            .await
                            .map_err(|e| lost(no_answer(&format!("read the block of {title}"), e)))?;
                        let events = block
                            .wait_for_success()
                            .await
                            .map_err(|e| refusal::of_execution(&title, at.metadata_ref(), e))?;
                        Ok(Included {
                            block: height(&at),
                            events: event::decode(events.iter())?,
                        })
                    };
                    return deadline.limit(&awaited, read).await;
                }
                TransactionStatus::InBestBlock(_) => {
                    awaited.what = format!("the block of {title} to be finalised");
                    progress("in a block, waiting for finality");
                }
                TransactionStatus::Error { message }
                | TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message } => return Err(refusal::of_pool(&title, &message)),
                _ => {
                    awaited.what = format!("{title} to be included in a block");
                    progress("submitted");
                }
            }
        }
    }

    async fn at_finalized(&self) -> Result<OnlineClientAtBlock<SubstrateConfig>> {
        self.api
            .at_current_block()
            .await
            .map_err(|e| no_answer("read the last finalised block", e))
    }

    /// Returns the height of the last finalised block.
    pub async fn finalized(&self) -> Result<u32> {
        Ok(height(&self.at_finalized().await?))
    }

    /// Returns the value at `pallet.entry[keys]`, if there is one.
    pub async fn read(&self, pallet: &str, entry: &str, keys: Vec<Value>) -> Result<Option<Value>> {
        let at = self.at_finalized().await?;
        let address = dynamic::storage::<Vec<Value>, Value>(pallet, entry);
        let failed = |e| storage_error(pallet, entry, e);
        let storage = at.storage().entry(address).map_err(failed)?;
        match storage.try_fetch(keys).await.map_err(failed)? {
            Some(found) => found
                .decode()
                .map(Some)
                .map_err(|e| unknown_runtime(format!("cannot decode {pallet}.{entry}: {e}"))),
            None => Ok(None),
        }
    }

    /// Returns all keys and values below `pallet.entry[prefix]`, sorted by key.
    pub async fn entries(&self, pallet: &str, entry: &str, prefix: Vec<Value>) -> Result<Vec<(Vec<Value>, Value)>> {
        let at = self.at_finalized().await?;
        let address = dynamic::storage::<Vec<Value>, Value>(pallet, entry);
        let failed = |e| storage_error(pallet, entry, e);
        let storage = at.storage().entry(address).map_err(failed)?;
        let mut items = storage.iter(prefix).await.map_err(failed)?;
        let mut all = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(failed)?;
            let undecodable = |e: subxt::Error| unknown_runtime(format!("cannot decode {pallet}.{entry}: {e}"));
            let keys = item
                .key()
                .and_then(|key| key.decode())
                .map_err(|e| undecodable(e.into()))?;
            let value = item.value().decode().map_err(|e| undecodable(e.into()))?;
            all.push((keys, value));
        }
        all.sort_by_key(|(keys, _)| keys.iter().map(ReadValue::uint).collect::<Vec<_>>());
        Ok(all)
    }

    /// Returns the events of the block at height `block`, in order.
    pub(super) async fn events_at(&self, block: u32) -> Result<Vec<Event>> {
        let at = self
            .api
            .at_block(u64::from(block))
            .await
            .map_err(|e| no_answer(&format!("read block {block}"), e))?;
        let events = at
            .events()
            .fetch()
            .await
            .map_err(|e| no_answer(&format!("read the events of block {block}"), e))?;
        event::decode(events.iter())
    }
}

fn height(at: &OnlineClientAtBlock<SubstrateConfig>) -> u32 {
    at.block_number().try_into().unwrap_or(u32::MAX)
}

fn storage_error(pallet: &str, entry: &str, error: StorageError) -> Error {
    match error {
        StorageError::CannotFetchValue(_) | StorageError::CannotIterateValues(_) | StorageError::StreamFailure(_) => {
            no_answer(&format!("read {pallet}.{entry}"), error)
        }
        error => unknown_runtime(format!("cannot decode {pallet}.{entry}: {error}")),
    }
}
