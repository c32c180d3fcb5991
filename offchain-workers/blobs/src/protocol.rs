// SPDX-License-Identifier: Apache-2.0
//! What nodes ask each other and answer. SCALE, bounded, one chunk a request.

use crate::chunk::MAX_SLICE;
use agorai_primitives::BlobId;
use codec::{Decode, DecodeAll, Encode};

/// The protocol's name behind the genesis hash.
pub const NAME: &str = "agorai/blob/1";
/// Most bytes of an encoded request.
pub const MAX_REQUEST: u64 = 64;
/// Most bytes of an encoded response.
pub const MAX_RESPONSE: u64 = MAX_SLICE as u64 + 32;

/// Which chunk of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum Which {
    /// The last one, wherever it is: its proof also proves the blob's size.
    Last,
    /// The one at an index.
    At(u32),
}

/// Asks for one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Request {
    /// The blob.
    pub blob: BlobId,
    /// The chunk.
    pub which: Which,
}

/// Answers a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Response {
    /// The chunk.
    Chunk {
        /// Bytes of the whole blob.
        size: u64,
        /// Chunk and proof, see [`crate::chunk`].
        slice: Vec<u8>,
    },
    /// This node does not have the blob, or the blob has no such chunk.
    Missing,
    /// You ask too much; try again in a moment.
    Busy,
}

/// Bytes that are no message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the blob protocol")]
pub struct Malformed;

impl Request {
    /// From what a peer sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        bounded(bytes, MAX_REQUEST)
    }
}

impl Response {
    /// From what a peer sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        bounded(bytes, MAX_RESPONSE)
    }
}

fn bounded<T: Decode>(mut bytes: &[u8], most: u64) -> Result<T, Malformed> {
    if bytes.len() as u64 > most {
        return Err(Malformed);
    }
    T::decode_all(&mut bytes).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_survive_the_wire_within_their_bounds() {
        let request = Request {
            blob: BlobId::of(b"x"),
            which: Which::At(u32::MAX),
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
    fn message_is_refused_when_it_is_too_long_or_has_a_tail() {
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
        fn garbage_is_decoded_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Request::from_bytes(&bytes);
            let _ = Response::from_bytes(&bytes);
        }
    }
}
