// SPDX-License-Identifier: GPL-3.0-only
//! The ports of a network: three per node, at fixed offsets from the base port.

use crate::error::{Error, Result};
use std::net::TcpListener;

/// Offset of the RPC ports; the ports between nodes start at the base port.
pub const RPC_OFFSET: u16 = 100;
/// Offset of the Prometheus ports.
pub const PROMETHEUS_OFFSET: u16 = 200;
/// Number of ports between two candidates of [`free_base_port`].
const STRIDE: u16 = 300;
/// Number of candidates.
const CANDIDATES: u16 = 90;
/// The first candidate.
const FIRST: u16 = 20_000;

/// Returns the port at `offset` from `base`.
pub fn port(base: u16, offset: u16) -> Result<u16> {
    base.checked_add(offset)
        .ok_or_else(|| Error::usage("BadPort", format!("base port {base} is too high")))
}

/// Returns a base port for which all ports of a network of `validators` are free at this moment.
pub fn free_base_port(validators: u16) -> Result<u16> {
    // Each process starts at another candidate, so that networks that start at the same time seldom collide.
    let start = u16::try_from(std::process::id() % u32::from(CANDIDATES)).unwrap_or(0);
    (0..CANDIDATES)
        .map(|step| FIRST + (start + step) % CANDIDATES * STRIDE)
        .find(|base| {
            (0..validators).all(|i| {
                [0, RPC_OFFSET, PROMETHEUS_OFFSET]
                    .iter()
                    .all(|offset| TcpListener::bind(("127.0.0.1", base + offset + i)).is_ok())
            })
        })
        .ok_or_else(|| Error::failed("NoPorts", "there are no free ports between 20000 and 47000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_found() {
        assert!(free_base_port(4).unwrap() >= FIRST);
    }
}
