// SPDX-License-Identifier: Apache-2.0
//! One fetch from beginning to end.

use super::{
    peers::{Peers, Verdict},
    Counter, FetchError, Inner, NoAnswer,
};
use crate::{
    chunk,
    protocol::{Request, Response, Which},
    store::{Partial, Store, StoreError},
};
use agorai_primitives::{BlobId, CHUNK_BYTES};
use futures::{future::BoxFuture, stream::FuturesUnordered, FutureExt, StreamExt};
use sc_network_types::PeerId;
use std::{
    collections::VecDeque,
    sync::{atomic::Ordering::Relaxed, Arc},
    time::Instant,
};

/// A verified chunk.
struct Chunk {
    size: u64,
    index: u32,
    bytes: Vec<u8>,
}

struct Answer {
    peer: PeerId,
    which: Which,
    result: Result<Chunk, Verdict>,
}

/// What is on its way.
struct Flight {
    which: Which,
    peers: Vec<PeerId>,
    asked_last: Instant,
}

struct Run<'a> {
    inner: &'a Inner,
    blob: BlobId,
    size: Option<u64>,
    peers: Peers,
    wanted: VecDeque<Which>,
    flights: Vec<Flight>,
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    moved: Instant,
}

impl Inner {
    pub(super) async fn run(&self, blob: BlobId, counter: &Counter) -> Result<(), FetchError> {
        let mut run = Run {
            inner: self,
            blob,
            size: None,
            peers: Peers::default(),
            wanted: VecDeque::new(),
            flights: Vec::new(),
            answers: FuturesUnordered::new(),
            moved: Instant::now(),
        };
        run.peers.refresh(self.transport.as_ref()).await;
        let resumed = self.on_disk(blob, move |store| store.resume(&blob)).await?;
        let mut partial = match resumed {
            Some(partial) => partial,
            None => {
                run.wanted.push_back(Which::Last);
                let last = run.next(0).await?;
                let begun = self.on_disk(blob, move |store| store.begin(&blob, last.size));
                let mut partial = begun.await?;
                partial = self.write(partial, last).await?;
                partial
            }
        };
        let size = partial.size();
        run.size = Some(size);
        run.wanted = partial.missing().into_iter().map(Which::At).collect();
        run.flights.clear();
        // Late answers to the first question are of no use any more.
        run.answers.clear();
        counter.size.store(size, Relaxed);
        loop {
            let missing = partial.missing().len() as u64;
            let have = chunk::count(size) - missing;
            counter.have.store((have * CHUNK_BYTES).min(size), Relaxed);
            if missing == 0 {
                break;
            }
            let chunk = run.next(have).await?;
            if !partial.has(chunk.index) {
                partial = self.write(partial, chunk).await?;
            }
        }
        self.on_disk(blob, move |store| store.finish(partial)).await
    }

    async fn write(&self, mut partial: Partial, chunk: Chunk) -> Result<Partial, FetchError> {
        let blob = partial.id();
        self.on_disk(blob, move |_| {
            partial.write(chunk.index, &chunk.bytes)?;
            Ok(partial)
        })
        .await
    }

    /// Work on the disk happens where it may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        blob: BlobId,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FetchError> {
        let store = self.store.clone();
        let done = self.handle.spawn_blocking(move || work(&store)).await;
        done.map_err(|_| FetchError::Interrupted(blob))?
            .map_err(|error| FetchError::Store {
                blob,
                error: Arc::new(error),
            })
    }
}

impl Run<'_> {
    /// The next verified chunk among the wanted ones; `have` chunks are there already.
    async fn next(&mut self, have: u64) -> Result<Chunk, FetchError> {
        loop {
            self.ask();
            let limits = &self.inner.limits;
            let left = limits.patience.saturating_sub(self.moved.elapsed());
            if left.is_zero() {
                return Err(self.unavailable(have));
            }
            if self.answers.is_empty() {
                let hopeless = self.peers.hopeless(&self.inner.aside);
                if hopeless && self.moved.elapsed() >= limits.absent {
                    return Err(self.unavailable(have));
                }
                tokio::time::sleep(limits.rest.min(left)).await;
                self.peers.refresh(self.inner.transport.as_ref()).await;
                continue;
            }
            // Wakes up for late chunks, for rested peers and for the end of patience.
            let pause = limits.rest.min(left);
            let Ok(Some(answer)) = tokio::time::timeout(pause, self.answers.next()).await else {
                if !self.wanted.is_empty() {
                    self.peers.refresh(self.inner.transport.as_ref()).await;
                }
                continue;
            };
            if let Some(chunk) = self.settle(answer) {
                return Ok(chunk);
            }
        }
    }

    /// Sends as many requests as may be on their way, and those that are late once more.
    fn ask(&mut self) {
        let limits = &self.inner.limits;
        while self.flights.len() < limits.in_flight.max(1) {
            let Some(which) = self.wanted.pop_front() else {
                break;
            };
            let Some(peer) = self.peers.pick(&self.inner.aside, &[]) else {
                self.wanted.push_front(which);
                break;
            };
            self.flights.push(Flight {
                which,
                peers: vec![peer],
                asked_last: Instant::now(),
            });
            self.send(peer, which);
        }
        let late: Vec<usize> = (0..self.flights.len())
            .filter(|at| self.flights[*at].asked_last.elapsed() >= limits.late)
            .collect();
        for at in late {
            let which = self.flights[at].which;
            let other = self.peers.pick(&self.inner.aside, &self.flights[at].peers);
            if let Some(peer) = other {
                self.flights[at].peers.push(peer);
                self.flights[at].asked_last = Instant::now();
                self.send(peer, which);
            }
        }
    }

    fn send(&self, peer: PeerId, which: Which) {
        let (blob, size) = (self.blob, self.size);
        let (transport, limit) = (self.inner.transport.clone(), self.inner.limits.request);
        let answer = async move {
            let asked = transport.request(peer, Request { blob, which });
            let result = match tokio::time::timeout(limit, asked).await {
                Ok(Ok(Response::Chunk { size: claimed, slice })) => check(&blob, size, which, claimed, &slice),
                Ok(Ok(Response::Missing)) => Err(Verdict::Without),
                Ok(Ok(Response::Busy)) => Err(Verdict::Busy),
                Ok(Err(NoAnswer::Malformed)) => Err(Verdict::Corrupt),
                Ok(Err(NoAnswer::Silent)) | Err(_) => Err(Verdict::Silent),
            };
            Answer { peer, which, result }
        };
        self.answers.push(answer.boxed());
    }

    /// Takes note of an answer; the chunk if it is one.
    fn settle(&mut self, answer: Answer) -> Option<Chunk> {
        let Answer { peer, which, result } = answer;
        let verdict = result.as_ref().err().copied().unwrap_or(Verdict::Served);
        self.peers.note(peer, verdict, self.inner.limits.rest);
        if verdict == Verdict::Corrupt {
            log::warn!(target: "blobs", "peer {peer} sent wrong bytes for blob {}", self.blob);
            self.inner.aside.insert(peer);
            self.inner.transport.report(peer);
        }
        let at = self.flights.iter().position(|flight| flight.which == which);
        match (result, at) {
            (Ok(chunk), at) => {
                if let Some(at) = at {
                    self.flights.swap_remove(at);
                }
                self.moved = Instant::now();
                Some(chunk)
            }
            (Err(_), Some(at)) => {
                let flight = &mut self.flights[at];
                flight.peers.retain(|asked| *asked != peer);
                if flight.peers.is_empty() {
                    self.flights.swap_remove(at);
                    self.wanted.push_front(which);
                }
                None
            }
            (Err(_), None) => None,
        }
    }

    fn unavailable(&self, have: u64) -> FetchError {
        let [asked, without, silent, corrupt] = self.peers.tally();
        FetchError::Unavailable {
            blob: self.blob,
            have,
            chunks: self.size.map(chunk::count),
            asked,
            without,
            silent,
            corrupt,
        }
    }
}

/// The chunk, if it is the one that was asked for. A known size must be repeated.
fn check(blob: &BlobId, size: Option<u64>, which: Which, claimed: u64, slice: &[u8]) -> Result<Chunk, Verdict> {
    if size.is_some_and(|size| size != claimed) {
        return Err(Verdict::Corrupt);
    }
    let index = match which {
        Which::Last => u32::try_from(chunk::count(claimed) - 1).map_err(|_| Verdict::Corrupt)?,
        Which::At(index) => index,
    };
    match chunk::verify(blob, claimed, u64::from(index), slice) {
        Ok(bytes) => Ok(Chunk {
            size: claimed,
            index,
            bytes,
        }),
        Err(_) => Err(Verdict::Corrupt),
    }
}
