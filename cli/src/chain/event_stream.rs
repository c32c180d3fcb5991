// SPDX-License-Identifier: GPL-3.0-only
//! Events of all finalised blocks, in order.

use super::{client::Chain, event::Event};
use crate::{
    deadline::{Awaited, Deadline},
    error::{ErrorKind, Result},
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{sleep, Instant};

/// Interval at which the finalised height is read.
const POLL: Duration = Duration::from_millis(400);
/// Time without an answer after which the stream fails; until then it reconnects.
const RECONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Pause before a reconnection.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Age of a request from which on a timeout is attributed to the node.
const SLOW_REQUEST: Duration = Duration::from_secs(2);
/// Time without a new finalised block from which on a timeout is attributed to finality.
const STALLED_FINALITY: Duration = Duration::from_secs(20);

/// Events of finalised blocks, in order and without gaps. A lost connection is opened again.
pub struct EventStream {
    chain: Chain,
    next_block: u32,
    ready: VecDeque<(u32, Event)>,
    /// When the last finalised block was seen; at first the time at which the stream was created.
    progress_at: Instant,
    /// When the request in flight was sent.
    request_at: Option<Instant>,
    /// When the first of the consecutive failures occurred.
    failing_since: Option<Instant>,
}

impl EventStream {
    /// Returns the stream of events from the block at height `from` on.
    pub fn new(chain: &Chain, from: u32) -> Self {
        Self {
            chain: chain.clone(),
            next_block: from,
            ready: VecDeque::new(),
            progress_at: Instant::now(),
            request_at: None,
            failing_since: None,
        }
    }

    /// Returns the next event and the height of its block.
    ///
    /// Fails with `Timeout` when the deadline expires; the error says whether the node, finality or the `awaited`
    /// event was missing. Fails with `NoAnswer` when the node has been unreachable for 30 s.
    pub async fn next(&mut self, deadline: Deadline, awaited: &Awaited) -> Result<(u32, Event)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            match deadline.run(self.poll()).await {
                Some(outcome) => outcome?,
                None => return Err(deadline.expired(&self.with_cause(awaited))),
            }
        }
    }

    /// Reads the next block if it is finalised, else waits for one poll interval.
    async fn poll(&mut self) -> Result<()> {
        match self.read_block().await {
            Ok(true) => {
                self.failing_since = None;
                Ok(())
            }
            Ok(false) => {
                self.failing_since = None;
                sleep(POLL).await;
                Ok(())
            }
            Err(e) if e.kind == ErrorKind::Unreachable => {
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= RECONNECT_LIMIT {
                    return Err(e);
                }
                sleep(RECONNECT_PAUSE).await;
                let limit = Deadline::after(RECONNECT_LIMIT.saturating_sub(since.elapsed()));
                if let Ok(chain) = Chain::connect(self.chain.rpc().url(), limit).await {
                    self.chain = chain;
                }
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// Reads the events of the next block; returns whether that block is finalised.
    async fn read_block(&mut self) -> Result<bool> {
        self.request_at = Some(Instant::now());
        let finalized = self.next_block <= self.chain.finalized().await?;
        if finalized {
            let block = self.next_block;
            let events = self.chain.events_at(block).await?;
            self.ready.extend(events.into_iter().map(|event| (block, event)));
            self.next_block = block.saturating_add(1);
            self.progress_at = Instant::now();
        }
        self.request_at = None;
        Ok(finalized)
    }

    /// Returns `awaited` with the cause of the delay, where one is apparent.
    fn with_cause(&self, awaited: &Awaited) -> Awaited {
        let silent = self.failing_since.is_some() || self.request_at.is_some_and(|at| at.elapsed() >= SLOW_REQUEST);
        let what = if silent {
            format!(
                "{}: the node at {} does not answer",
                awaited.what,
                self.chain.rpc().url()
            )
        } else if self.progress_at.elapsed() >= STALLED_FINALITY {
            let seconds = self.progress_at.elapsed().as_secs();
            format!("{}: no block was finalised in the last {seconds} s", awaited.what)
        } else {
            awaited.what.clone()
        };
        Awaited::new(what, awaited.hint.clone())
    }
}
