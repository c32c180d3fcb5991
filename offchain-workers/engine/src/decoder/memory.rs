// SPDX-License-Identifier: Apache-2.0
//! How much memory a session takes, from above, before anything of it is allocated.

use super::TOGETHER;
use crate::files::ModelConfig;

/// Bytes of a binary32 value.
const VALUE: u64 = 4;
/// Columns of a panel: keys are kept in whole ones.
const PANEL: u64 = 32;

/// Bytes that a session of so many positions takes at most, with `logits` rows of logits at once: keys
/// and values (vectors grow by doubling), activations, scores, rotary angles and logits.
pub fn session(config: &ModelConfig, positions: usize, logits: usize) -> u64 {
    let wide = |n: usize| n as u64;
    let positions = wide(positions.min(config.context));
    let (dim, ff) = (wide(config.dim), wide(config.ff));
    let query = wide(config.heads).saturating_mul(wide(config.head_dim));
    let key = wide(config.kv_heads).saturating_mul(wide(config.head_dim));
    let memory = wide(config.layers)
        .saturating_mul(2 * key)
        .saturating_mul(2 * positions.next_multiple_of(PANEL));
    let rows = wide(TOGETHER).min(positions);
    // Each value once more, quantised, and the copies of heads in attention.
    let row = (6 * dim)
        .saturating_add(6 * query)
        .saturating_add(4 * key)
        .saturating_add(4 * ff);
    let scores = wide(config.heads).saturating_mul(positions);
    let angles = 2 * positions.saturating_mul(wide(config.head_dim));
    let logits = wide(logits).saturating_mul(wide(config.vocab));
    memory
        .saturating_add(rows.saturating_mul(row.saturating_add(scores)))
        .saturating_add(angles)
        .saturating_add(logits)
        .saturating_mul(VALUE)
}
