// SPDX-License-Identifier: Apache-2.0
//! Fetches blobs from peers, over any transport.
//!
//! The last chunk is fetched first, because its proof also proves the blob's size. The other chunks are then requested
//! concurrently, each from the peer with the fewest requests in flight, and verified before they are written. A peer
//! that sends invalid data is reported and banned for a while; a peer that does not respond or is busy is asked again
//! after a pause; a chunk whose response is late is also requested from another peer. Verified chunks survive a
//! restart.

mod fetch;
mod fetcher;
mod limits;
mod peers;
#[cfg(test)]
mod tests;
mod transport;

pub use fetcher::Fetcher;
pub use limits::FetchLimits;
pub use transport::{RequestError, Transport};
