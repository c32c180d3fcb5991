// SPDX-License-Identifier: Apache-2.0
//! Selection of the peer that is asked next.

use super::transport::Transport;
use parking_lot::Mutex;
use sc_network_types::PeerId;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// Maximum number of banned peers. Beyond it the oldest ban is lifted.
const MAX_BANNED: usize = 1024;
/// Maximum exponent of the pause after repeated failures: 64 times the backoff.
const MAX_BACKOFF_EXPONENT: u32 = 6;

/// Peers that sent invalid data. No fetch asks them until their ban ends.
pub struct BannedPeers {
    duration: Duration,
    since: Mutex<HashMap<PeerId, Instant>>,
}

impl BannedPeers {
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            since: Mutex::default(),
        }
    }

    pub fn insert(&self, peer: PeerId) {
        let mut since = self.since.lock();
        since.retain(|_, at| at.elapsed() < self.duration);
        if since.len() >= MAX_BANNED {
            let oldest = since.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                since.remove(&oldest);
            }
        }
        since.insert(peer, Instant::now());
    }

    pub fn contains(&self, peer: &PeerId) -> bool {
        let since = self.since.lock();
        since.get(peer).is_some_and(|at| at.elapsed() < self.duration)
    }
}

#[derive(Default)]
struct Peer {
    connected: bool,
    in_flight: usize,
    /// Requests without a response since the last chunk.
    failures: u32,
    paused_until: Option<Instant>,
    asked: bool,
    /// Answered `Missing` since the last refresh.
    missing: bool,
    /// Ever answered `Missing`.
    ever_missing: bool,
    /// Ever left a request without a response.
    unresponsive: bool,
}

/// The peers of one fetch.
#[derive(Default)]
pub struct Peers {
    known: HashMap<PeerId, Peer>,
    corrupt: HashSet<PeerId>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    Served,
    Missing,
    Busy,
    NoResponse,
    Corrupt,
}

/// Number of peers by what they answered.
pub struct PeerCounts {
    pub asked: usize,
    pub without: usize,
    pub unresponsive: usize,
    pub corrupt: usize,
}

impl Peers {
    /// Updates the connected peers. Peers that answered `Missing` may be asked again.
    pub async fn refresh(&mut self, transport: &dyn Transport) {
        for peer in self.known.values_mut() {
            peer.connected = false;
        }
        for id in transport.peers().await {
            let peer = self.known.entry(id).or_default();
            peer.connected = true;
            peer.missing = false;
        }
        self.known.retain(|_, peer| peer.connected || peer.asked);
    }

    /// Returns the available peer with the fewest requests in flight that is not in `except`, and counts a request to
    /// it.
    pub fn select(&mut self, banned: &BannedPeers, except: &[PeerId]) -> Option<PeerId> {
        let now = Instant::now();
        let (id, peer) = self
            .known
            .iter_mut()
            .filter(|(id, peer)| {
                let ready = peer.paused_until.is_none_or(|until| until <= now);
                let available = peer.connected && !peer.missing && ready;
                available && !except.contains(id) && !banned.contains(id)
            })
            .min_by_key(|(_, peer)| (peer.in_flight, peer.failures))?;
        peer.in_flight += 1;
        peer.asked = true;
        Some(*id)
    }

    /// Records how a request ended. A busy peer is paused for `backoff`, an unresponsive one for a time that doubles
    /// with each failure.
    pub fn record(&mut self, id: PeerId, outcome: RequestOutcome, backoff: Duration) {
        let Some(peer) = self.known.get_mut(&id) else {
            return;
        };
        peer.in_flight = peer.in_flight.saturating_sub(1);
        match outcome {
            RequestOutcome::Served => peer.failures = 0,
            RequestOutcome::Missing => {
                peer.missing = true;
                peer.ever_missing = true;
            }
            RequestOutcome::Busy => peer.paused_until = Some(Instant::now() + backoff),
            RequestOutcome::NoResponse => {
                peer.unresponsive = true;
                peer.failures = peer.failures.saturating_add(1);
                let pause = backoff.saturating_mul(1 << peer.failures.min(MAX_BACKOFF_EXPONENT));
                peer.paused_until = Some(Instant::now() + pause);
            }
            RequestOutcome::Corrupt => {
                self.corrupt.insert(id);
            }
        }
    }

    /// Whether a connected peer may have the blob.
    pub fn any_candidate(&self, banned: &BannedPeers) -> bool {
        let may_have = |(id, peer): (&PeerId, &Peer)| peer.connected && !peer.missing && !banned.contains(id);
        self.known.iter().any(may_have)
    }

    /// Counts the peers by what they answered.
    pub fn counts(&self) -> PeerCounts {
        let count = |which: fn(&&Peer) -> bool| self.known.values().filter(which).count();
        PeerCounts {
            asked: count(|peer| peer.asked),
            without: count(|peer| peer.ever_missing),
            unresponsive: count(|peer| peer.unresponsive),
            corrupt: self.corrupt.len(),
        }
    }
}
