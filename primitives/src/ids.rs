// SPDX-License-Identifier: Apache-2.0
//! Identifiers and their types.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Account balance in the smallest unit of the native token.
pub type Balance = u128;
/// Block number.
pub type BlockNumber = u32;
/// Index of a model.
pub type ModelId = u32;
/// Index of a weights version of a model, from 0.
pub type VersionIndex = u32;
/// Index of a dataset.
pub type DatasetId = u32;
/// Index of an inference request.
pub type RequestId = u64;
/// Index of a training plan.
pub type PlanId = u32;
/// Index of a round of a training plan, from 0.
pub type RoundIndex = u32;
/// Index of a session.
pub type SessionIndex = u32;
/// Identifier of a job: the hash of everything that determines its result.
pub type JobId = H256;

/// Size of a blob chunk in bytes: 1 MiB. Chunks are the unit of transfer and of proofs.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// Identifier of a blob: the BLAKE3 hash of its bytes.
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
    /// Returns the identifier of `bytes`.
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

/// The text is not a blob identifier: 64 hexadecimal digits, optionally after `0x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseBlobIdError;

impl core::fmt::Display for ParseBlobIdError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a blob identifier has 64 hexadecimal digits")
    }
}

impl core::error::Error for ParseBlobIdError {}

impl core::str::FromStr for BlobId {
    type Err = ParseBlobIdError;

    fn from_str(text: &str) -> Result<Self, ParseBlobIdError> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        if digits.len() != 64 {
            return Err(ParseBlobIdError);
        }
        let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8).ok_or(ParseBlobIdError);
        let mut id = [0u8; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

/// A part of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Shard {
    /// Identifier of the bytes.
    pub blob: BlobId,
    /// Size in bytes.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn blob_id_round_trips_through_text() {
        let id = BlobId::of(b"agora");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("abc".parse::<BlobId>(), Err(ParseBlobIdError));
        assert_eq!("zz".repeat(32).parse::<BlobId>(), Err(ParseBlobIdError));
    }
}
