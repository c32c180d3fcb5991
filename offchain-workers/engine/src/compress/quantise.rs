// SPDX-License-Identifier: Apache-2.0
//! The largest values of a chunk, quantised to 2 bits.

use crate::error::Result;
use agorai_exact::{reduce, topk, Isa};

/// The retained values of a chunk, 2 bits each.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantisedChunk {
    /// Indices in the chunk, ascending.
    pub indices: Vec<u32>,
    /// The entry of the table for each of them.
    pub codes: Vec<u8>,
    /// The dequantised values; 0 if no code refers to an entry.
    pub table: [f32; 4],
}

/// Retains the `count` values of largest magnitude of a chunk and quantises them, steps 2 and 3 of
/// [`compress`](super).
pub fn retain_top_k(isa: Isa, values: &[f32], count: usize) -> Result<QuantisedChunk> {
    let mut indices = Vec::with_capacity(count);
    topk::top_k_abs(values, count, &mut indices)?;
    let mut centred: Vec<f32> = indices.iter().map(|i| values[*i as usize]).collect();
    let mean = reduce::mean(isa, &centred)?;
    for value in &mut centred {
        *value -= mean;
    }
    let variance = reduce::sum_sq16(isa, &centred)? / centred.len() as f32;
    let step = 6.0 * variance.sqrt() / 4.0;
    let code = |value: f32| {
        if step > 0.0 {
            (value / step + 2.0).round_ties_even().clamp(0.0, 3.0) as u8
        } else {
            2
        }
    };
    let codes: Vec<u8> = centred.iter().map(|value| code(*value)).collect();
    let mut table = [0.0; 4];
    for (bucket, entry) in table.iter_mut().enumerate() {
        let inside: Vec<f32> = centred
            .iter()
            .zip(&codes)
            .filter(|(_, code)| usize::from(**code) == bucket)
            .map(|(value, _)| *value)
            .collect();
        if !inside.is_empty() {
            *entry = mean + reduce::mean(isa, &inside)?;
        }
    }
    Ok(QuantisedChunk { indices, codes, table })
}
