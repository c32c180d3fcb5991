// SPDX-License-Identifier: Apache-2.0
//! Limits and timeouts of fetches.

use std::time::Duration;

/// Limits and timeouts of fetches.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Maximum number of chunks of one blob that are requested concurrently.
    pub chunks_in_flight: usize,
    /// Maximum number of blobs that are fetched concurrently.
    pub concurrent_blobs: usize,
    /// Timeout of one request.
    pub request_timeout: Duration,
    /// Time without a response after which a chunk is also requested from another peer.
    pub hedge_after: Duration,
    /// Time without a new chunk after which the blob counts as unavailable.
    pub stall_timeout: Duration,
    /// As `stall_timeout`, while no connected peer may have the blob.
    pub absent_timeout: Duration,
    /// Maximum duration of the fetch of one blob.
    pub total_timeout: Duration,
    /// Pause before a busy or unresponsive peer is asked again, and before the peers are looked up again while none can
    /// be asked.
    pub backoff: Duration,
    /// Time for which a peer that sent invalid data is not asked.
    pub ban: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            chunks_in_flight: 4,
            concurrent_blobs: 4,
            request_timeout: Duration::from_secs(15),
            hedge_after: Duration::from_secs(2),
            stall_timeout: Duration::from_secs(30),
            absent_timeout: Duration::from_secs(6),
            total_timeout: Duration::from_secs(600),
            backoff: Duration::from_millis(500),
            ban: Duration::from_secs(600),
        }
    }
}
