// SPDX-License-Identifier: Apache-2.0
//! Which peer is asked next, and which are not asked.

use super::Transport;
use parking_lot::Mutex;
use sc_network_types::PeerId;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// Most peers that are remembered as set aside; beyond it the one set aside first is forgiven.
const MOST_ASIDE: usize = 1024;

/// Peers that sent wrong bytes. They are asked nothing for a while, for no blob.
pub struct Aside {
    duration: Duration,
    since: Mutex<HashMap<PeerId, Instant>>,
}

impl Aside {
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            since: Mutex::default(),
        }
    }

    pub fn insert(&self, peer: PeerId) {
        let mut since = self.since.lock();
        since.retain(|_, at| at.elapsed() < self.duration);
        if since.len() >= MOST_ASIDE {
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
    failures: u32,
    rests_until: Option<Instant>,
    asked: bool,
    /// Said so since the last look-up of peers.
    without: bool,
    /// Ever said so.
    lacked: bool,
    silent: bool,
}

/// The peers of one fetch.
#[derive(Default)]
pub struct Peers {
    known: HashMap<PeerId, Peer>,
    corrupt: HashSet<PeerId>,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Served,
    Without,
    Busy,
    Silent,
    Corrupt,
}

impl Peers {
    /// Looks up who is there. Who had the blob not may have it by now.
    pub async fn refresh(&mut self, transport: &dyn Transport) {
        for peer in self.known.values_mut() {
            peer.connected = false;
        }
        for id in transport.peers().await {
            let peer = self.known.entry(id).or_default();
            peer.connected = true;
            peer.without = false;
        }
        self.known.retain(|_, peer| peer.connected || peer.asked);
    }

    /// The peer with the least to do that may be asked and is not in `except`; marks it as asked.
    pub fn pick(&mut self, aside: &Aside, except: &[PeerId]) -> Option<PeerId> {
        let now = Instant::now();
        let (id, peer) = self
            .known
            .iter_mut()
            .filter(|(id, peer)| {
                let awake = peer.rests_until.is_none_or(|until| until <= now);
                let usable = peer.connected && !peer.without && awake;
                usable && !except.contains(id) && !aside.contains(id)
            })
            .min_by_key(|(_, peer)| (peer.in_flight, peer.failures))?;
        peer.in_flight += 1;
        peer.asked = true;
        Some(*id)
    }

    /// Notes what came of asking; `rest` is how long a busy or silent peer rests.
    pub fn note(&mut self, id: PeerId, verdict: Verdict, rest: Duration) {
        let Some(peer) = self.known.get_mut(&id) else {
            return;
        };
        peer.in_flight = peer.in_flight.saturating_sub(1);
        match verdict {
            Verdict::Served => peer.failures = 0,
            Verdict::Without => {
                peer.without = true;
                peer.lacked = true;
            }
            Verdict::Busy => peer.rests_until = Some(Instant::now() + rest),
            Verdict::Silent => {
                peer.silent = true;
                peer.failures = peer.failures.saturating_add(1);
                let rests = rest.saturating_mul(1 << peer.failures.min(6));
                peer.rests_until = Some(Instant::now() + rests);
            }
            Verdict::Corrupt => {
                self.corrupt.insert(id);
            }
        }
    }

    /// Whether no peer is left that may have the blob.
    pub fn hopeless(&self, aside: &Aside) -> bool {
        let may_have = |(id, peer): (&PeerId, &Peer)| peer.connected && !peer.without && !aside.contains(id);
        !self.known.iter().any(may_have)
    }

    /// Asked, without it, silent, corrupt.
    pub fn tally(&self) -> [usize; 4] {
        let count = |which: fn(&&Peer) -> bool| self.known.values().filter(which).count();
        [
            count(|peer| peer.asked),
            count(|peer| peer.lacked),
            count(|peer| peer.silent),
            self.corrupt.len(),
        ]
    }
}
