// SPDX-License-Identifier: Apache-2.0
//! The messages of the blob protocol: SCALE-encoded, of bounded size, one chunk per request.

use crate::chunk::MAX_SLICE;
use agorai_primitives::BlobId;
use codec::{Decode, DecodeAll, Encode};

/// Name of the protocol, after the genesis hash.
pub const NAME: &str = "agorai/blob/1";
/// Maximum size of an encoded request in bytes.
pub const MAX_REQUEST: u64 = 64;
/// Maximum size of an encoded response in bytes.
pub const MAX_RESPONSE: u64 = MAX_SLICE as u64 + 32;

/// Selects a chunk of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum ChunkSelector {
    /// The last chunk. Its proof also proves the blob's size.
    Last,
    /// The chunk at an index.
    At(u32),
}

/// Requests one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Request {
    /// The blob.
    pub blob: BlobId,
    /// The chunk.
    pub selector: ChunkSelector,
}

/// The response to a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Response {
    /// The chunk.
    Chunk {
        /// Size of the whole blob in bytes.
        size: u64,
        /// Chunk and proof, as encoded by [`crate::chunk::encode`].
        slice: Vec<u8>,
    },
    /// This node does not have the blob, or the blob has no such chunk.
    Missing,
    /// The requester exceeded its rate limit and may ask again later.
    Busy,
}

/// Bytes that do not decode as a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message of the blob protocol")]
pub struct Malformed;

impl Request {
    /// Decodes a request of a peer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        decode_bounded(bytes, MAX_REQUEST)
    }
}

impl Response {
    /// Decodes a response of a peer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        decode_bounded(bytes, MAX_RESPONSE)
    }
}

fn decode_bounded<T: Decode>(mut bytes: &[u8], limit: u64) -> Result<T, Malformed> {
    if bytes.len() as u64 > limit {
        return Err(Malformed);
    }
    T::decode_all(&mut bytes).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_round_trip_within_their_size_limits() {
        let request = Request {
            blob: BlobId::of(b"x"),
            selector: ChunkSelector::At(u32::MAX),
        };
        let bytes = request.encode();
        assert!(bytes.len() as u64 <= MAX_REQUEST);
        assert_eq!(Request::from_bytes(&bytes), Ok(request));

        let response = Response::Chunk {
            size: u64::MAX,
            slice: vec![1; MAX_SLICE],
        };
        let bytes = response.encode();
        assert!(bytes.len() as u64 <= MAX_RESPONSE);
        assert_eq!(Response::from_bytes(&bytes), Ok(response));
    }

    #[test]
    fn message_is_rejected_when_it_is_too_long_or_has_trailing_bytes() {
        let mut bytes = Response::Missing.encode();
        bytes.push(0);
        assert_eq!(Response::from_bytes(&bytes), Err(Malformed));
        let large = Response::Chunk {
            size: 0,
            slice: vec![0; MAX_SLICE + 64],
        };
        assert_eq!(Response::from_bytes(&large.encode()), Err(Malformed));
    }

    proptest! {
        #[test]
        fn random_bytes_are_decoded_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Request::from_bytes(&bytes);
            let _ = Response::from_bytes(&bytes);
        }
    }
}
