// SPDX-License-Identifier: GPL-3.0-only
//! The chain as a user sees it: signed calls, storage and events, over a node's RPC.
//!
//! Everything is read from finalised blocks, so nothing that is shown here is undone later.

pub mod refusal;
pub mod rpc;
pub mod signer;
pub mod value;

use crate::error::{Error, Result};
use rpc::Rpc;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use subxt::{
    backend::LegacyBackend,
    client::OnlineClientAtBlock,
    dynamic,
    ext::scale_value::{Composite, ValueDef},
    transactions::TransactionStatus,
    OnlineClient, SubstrateConfig,
};
use subxt_signer::sr25519::Keypair;
use tokio::time::{sleep, timeout, Instant};
use value::{Read, Value};

/// How long a call may take from submission to a finalised block.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// How often finality is asked for.
const POLL: Duration = Duration::from_millis(400);

/// A call of a pallet with named arguments.
#[derive(Clone, Debug)]
pub struct Call {
    pallet: &'static str,
    name: &'static str,
    arguments: Vec<(&'static str, Value)>,
}

impl Call {
    /// `pallet.name(arguments)`.
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
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The pallet's name.
    pub pallet: String,
    /// The event's name.
    pub name: String,
    /// Its fields.
    pub fields: Value,
}

impl Event {
    /// Whether this is `pallet.name`.
    pub fn is(&self, pallet: &str, name: &str) -> bool {
        self.pallet == pallet && self.name == name
    }

    /// The number in field `name`, or an error that names what is missing.
    pub fn number<T: TryFrom<u128>>(&self, name: &str) -> Result<T> {
        self.fields.number(name).ok_or_else(|| self.lacks(name))
    }

    /// The hash in field `name`, or an error that names what is missing.
    pub fn hash(&self, name: &str) -> Result<String> {
        self.fields.hash_in(name).ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, field: &str) -> Error {
        foreign(format!(
            "event {}.{} has no field {field} of the expected type",
            self.pallet, self.name
        ))
    }
}

/// A call that is in a finalised block and succeeded.
#[derive(Clone, Debug)]
pub struct Included {
    /// The block.
    pub block: u32,
    /// The call's events.
    pub events: Vec<Event>,
}

impl Included {
    /// The first event `pallet.name`, or an error that names what is missing.
    pub fn event(&self, pallet: &str, name: &str) -> Result<&Event> {
        self.events
            .iter()
            .find(|event| event.is(pallet, name))
            .ok_or_else(|| foreign(format!("the call emitted no {pallet}.{name}")))
    }
}

/// What the chain says is not what this program understands.
fn foreign(message: impl Into<String>) -> Error {
    Error::failed("UnknownRuntime", message)
        .hint("this agorai and the node are of different versions; use those of one release")
}

/// An error of the connection or of decoding.
fn trouble(doing: &str, error: impl Into<subxt::Error>) -> Error {
    let error: subxt::Error = error.into();
    Error::unreachable("NoAnswer", format!("{doing}: {error}"))
        .hint("check that the node runs and is synchronised, then try again")
}

fn read_events<'a>(
    events: impl Iterator<Item = Result<subxt::events::Event<'a, SubstrateConfig>, subxt::error::EventsError>>,
) -> Result<Vec<Event>> {
    events
        .map(|event| {
            let event = event.map_err(|e| foreign(format!("cannot read an event: {e}")))?;
            let fields = event
                .decode_fields_unchecked_as::<Composite<()>>()
                .map_err(|e| foreign(format!("cannot read an event: {e}")))?;
            Ok(Event {
                pallet: event.pallet_name().to_owned(),
                name: event.event_name().to_owned(),
                fields: Value::without_context(ValueDef::Composite(fields)),
            })
        })
        .collect()
}

/// A connection to a node.
#[derive(Clone)]
pub struct Chain {
    api: OnlineClient<SubstrateConfig>,
    rpc: Rpc,
}

impl Chain {
    /// Connects to the node at `url` (`ws://host:port`).
    pub async fn connect(url: &str) -> Result<Self> {
        let rpc = Rpc::connect(url).await?;
        let backend = LegacyBackend::builder().build(rpc.client());
        let api = OnlineClient::from_backend(Arc::new(backend))
            .await
            .map_err(|e| trouble(&format!("cannot talk to {url}"), e))?;
        Ok(Self { api, rpc })
    }

    /// What is local to the node: blobs, provisional text, its engine.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Signs `call`, submits it and waits until it is in a finalised block. Says on `progress` where it is.
    pub async fn submit(
        &self,
        signer: &Keypair,
        call: Call,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Included> {
        let title = format!("{}.{}", call.pallet, call.name);
        timeout(CALL_TIMEOUT, self.submit_and_wait(signer, call, progress))
            .await
            .unwrap_or_else(|_| {
                Err(Error::unreachable(
                    "CallTimeout",
                    format!("{title} is in no finalised block after {} s", CALL_TIMEOUT.as_secs()),
                )
                .hint("check that the network finalises blocks (more than 2/3 of the validators run)"))
            })
    }

    async fn submit_and_wait(
        &self,
        signer: &Keypair,
        call: Call,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Included> {
        let title = format!("{}.{}", call.pallet, call.name);
        let payload = dynamic::tx(call.pallet, call.name, Composite::named(call.arguments));
        let mut transactions = self
            .api
            .transactions()
            .await
            .map_err(|e| trouble("cannot read the chain", e))?;
        let mut status = transactions
            .sign_and_submit_then_watch_default(&payload, signer)
            .await
            .map_err(|e| refusal::of_submission(&title, e))?;
        while let Some(next) = status.next().await {
            let next = next.map_err(|e| trouble(&format!("lost sight of {title}"), e))?;
            match next {
                TransactionStatus::InFinalizedBlock(block) => {
                    let at = block.at().await.map_err(|e| trouble("cannot read a block", e))?;
                    let events = block
                        .wait_for_success()
                        .await
                        .map_err(|e| refusal::of_execution(&title, e))?;
                    return Ok(Included {
                        block: height(&at),
                        events: read_events(events.iter())?,
                    });
                }
                TransactionStatus::InBestBlock(_) => progress("in a block, waiting for finality"),
                TransactionStatus::Error { message }
                | TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message } => return Err(refusal::of_pool(&title, &message)),
                _ => progress("submitted"),
            }
        }
        Err(
            Error::unreachable("NoAnswer", format!("the node stopped reporting on {title}"))
                .hint("see whether it took effect before you send it again"),
        )
    }

    async fn at_finalized(&self) -> Result<OnlineClientAtBlock<SubstrateConfig>> {
        self.api
            .at_current_block()
            .await
            .map_err(|e| trouble("cannot read the chain", e))
    }

    /// Height of the last finalised block.
    pub async fn finalized(&self) -> Result<u32> {
        Ok(height(&self.at_finalized().await?))
    }

    /// The value at `pallet.entry[keys]`, if there is one.
    pub async fn read(&self, pallet: &str, entry: &str, keys: Vec<Value>) -> Result<Option<Value>> {
        let at = self.at_finalized().await?;
        let address = dynamic::storage::<Vec<Value>, Value>(pallet, entry);
        let unknown = |e| storage_error(pallet, entry, e);
        let entry_at = at.storage().entry(address).map_err(unknown)?;
        match entry_at.try_fetch(keys).await.map_err(unknown)? {
            Some(found) => found
                .decode()
                .map(Some)
                .map_err(|e| foreign(format!("cannot read {pallet}.{entry}: {e}"))),
            None => Ok(None),
        }
    }

    /// All keys and values below `pallet.entry[prefix]`, keys in order.
    pub async fn entries(&self, pallet: &str, entry: &str, prefix: Vec<Value>) -> Result<Vec<(Vec<Value>, Value)>> {
        let at = self.at_finalized().await?;
        let address = dynamic::storage::<Vec<Value>, Value>(pallet, entry);
        let unknown = |e| storage_error(pallet, entry, e);
        let entry_at = at.storage().entry(address).map_err(unknown)?;
        let mut found = entry_at.iter(prefix).await.map_err(unknown)?;
        let mut all = Vec::new();
        while let Some(item) = found.next().await {
            let item = item.map_err(unknown)?;
            let undecodable = |e: subxt::Error| foreign(format!("cannot read {pallet}.{entry}: {e}"));
            let keys = item
                .key()
                .and_then(|key| key.decode())
                .map_err(|e| undecodable(e.into()))?;
            let value = item.value().decode().map_err(|e| undecodable(e.into()))?;
            all.push((keys, value));
        }
        all.sort_by_key(|(keys, _)| keys.iter().map(Read::uint).collect::<Vec<_>>());
        Ok(all)
    }

    /// Follows the events of finalised blocks from height `from` on.
    pub fn follow(&self, from: u32) -> Follow {
        Follow {
            chain: self.clone(),
            next: from,
            ready: VecDeque::new(),
        }
    }

    async fn events_at(&self, block: u32) -> Result<Vec<Event>> {
        let at = self
            .api
            .at_block(u64::from(block))
            .await
            .map_err(|e| trouble(&format!("cannot read block {block}"), e))?;
        let events = at
            .events()
            .fetch()
            .await
            .map_err(|e| trouble(&format!("cannot read the events of block {block}"), e))?;
        read_events(events.iter())
    }
}

fn height(at: &OnlineClientAtBlock<SubstrateConfig>) -> u32 {
    at.block_number().try_into().unwrap_or(u32::MAX)
}

fn storage_error(pallet: &str, entry: &str, error: subxt::error::StorageError) -> Error {
    match error {
        subxt::error::StorageError::CannotFetchValue(_)
        | subxt::error::StorageError::CannotIterateValues(_)
        | subxt::error::StorageError::StreamFailure(_) => trouble(&format!("cannot read {pallet}.{entry}"), error),
        error => foreign(format!("cannot read {pallet}.{entry}: {error}")),
    }
}

/// Events of finalised blocks, in order and without gaps.
pub struct Follow {
    chain: Chain,
    next: u32,
    ready: VecDeque<(u32, Event)>,
}

impl Follow {
    /// The next event and the height of its block; an error when none comes before `deadline`.
    pub async fn next(&mut self, deadline: Instant) -> Result<(u32, Event)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if Instant::now() >= deadline {
                return Err(Error::unreachable(
                    "Timeout",
                    format!("what was waited for has not happened by block {}", self.next),
                )
                .hint("see the nodes' logs; raise --timeout if the network is only slow"));
            }
            if self.next <= self.chain.finalized().await? {
                let events = self.chain.events_at(self.next).await?;
                let block = self.next;
                self.ready.extend(events.into_iter().map(|event| (block, event)));
                self.next = self.next.saturating_add(1);
            } else {
                sleep(POLL).await;
            }
        }
    }
}
