// SPDX-License-Identifier: Apache-2.0
//! The elements of largest absolute value, for gradient compression.

use alloc::vec::Vec;

use crate::error::{Error, Operation, Result};

/// Replaces the contents of `indices` by the indices of the `k` elements of `chunk` with the largest absolute values
/// (all if it has no more), ascending; among equal values the lower index comes first.
///
/// [`Error::Shape`] if `chunk` has more than `u32::MAX` elements.
pub fn top_k_abs(chunk: &[f32], k: usize, indices: &mut Vec<u32>) -> Result<()> {
    indices.clear();
    Operation("top_k_abs").at_most("elements of the chunk", u32::MAX as usize, chunk.len())?;
    let length = chunk.len() as u32;
    if chunk.iter().any(|v| v.is_nan()) {
        return Err(Error::NotANumber);
    }
    if k >= chunk.len() {
        indices.extend(0..length);
        return Ok(());
    }
    if k == 0 {
        return Ok(());
    }
    // Without the sign, the bits of a float order as its value does. Largest value first, then
    // lowest index: a total order, so any selection algorithm finds the same k.
    let key = |(i, v): (u32, &f32)| (u64::from(!v.abs().to_bits()) << 32) | u64::from(i);
    let mut keys: Vec<u64> = (0..length).zip(chunk).map(key).collect();
    keys.select_nth_unstable(k - 1);
    indices.extend(keys[..k].iter().map(|&key| key as u32));
    indices.sort_unstable();
    Ok(())
}
