// SPDX-License-Identifier: Apache-2.0
//! Seeds of the draws of a round.

use codec::Encode;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Derives a seed from `value` for a domain, an index and an attempt.
pub(super) fn derive_seed(domain: &[u8], value: &H256, index: usize, attempt: u32) -> H256 {
    (domain, value, index as u32, attempt).using_encoded(blake2_256).into()
}

/// The first eight bytes of a hash as a big-endian number.
pub(super) fn leading_u64(hash: &H256) -> u64 {
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
