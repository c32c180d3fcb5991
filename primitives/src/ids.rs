// SPDX-License-Identifier: Apache-2.0
//! The names of things.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Account balance in the smallest unit of the native token.
pub type Balance = u128;
/// Height of a block.
pub type BlockNumber = u32;
/// A model: a named series of weights versions.
pub type ModelId = u32;
/// A weights version within its model, from 0.
pub type VersionIndex = u32;
/// A dataset version.
pub type DatasetId = u32;
/// An inference request.
pub type RequestId = u64;
/// A training plan.
pub type PlanId = u32;
/// A round within its plan, from 0.
pub type RoundIndex = u32;
/// Index of a session of the validator set.
pub type SessionIndex = u32;
/// A unit of work: a hash over everything that determines its result.
pub type JobId = H256;

/// Bytes in a blob chunk, the unit of transfer and of proof: 1 MiB.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// A blob: any bytes, named by their BLAKE3 hash.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    /// The name of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

impl core::fmt::Display for BlobId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for BlobId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a blob's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABlobId;

impl core::fmt::Display for NotABlobId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a blob is named by 64 hexadecimal digits")
    }
}

impl core::error::Error for NotABlobId {}

impl core::str::FromStr for BlobId {
    type Err = NotABlobId;

    fn from_str(text: &str) -> Result<Self, NotABlobId> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        if digits.len() != 64 {
            return Err(NotABlobId);
        }
        let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8).ok_or(NotABlobId);
        let mut id = [0u8; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

/// Content-addressed bytes of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Shard {
    /// Where the bytes are found.
    pub blob: BlobId,
    /// How many there are.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn blob_id_survives_text() {
        let id = BlobId::of(b"agora");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("abc".parse::<BlobId>(), Err(NotABlobId));
        assert_eq!("zz".repeat(32).parse::<BlobId>(), Err(NotABlobId));
    }
}
