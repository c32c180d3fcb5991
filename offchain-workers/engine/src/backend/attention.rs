// SPDX-License-Identifier: Apache-2.0
//! Attention over a cache of keys and values.

use super::storage::Storage;
use crate::{config::Heads, error::Result};

/// The attention of one block.
pub trait AttentionOps: Storage {
    /// Returns an empty cache with room for `positions` positions.
    fn kv_cache(&self, heads: &Heads, positions: usize) -> Result<Self::KvCache>;
    /// Appends keys and values at position `offset`; the cache is truncated to `offset` positions first.
    ///
    /// `key`, `value`: `[rows, key heads, head_dim]`.
    fn append_kv(
        &self,
        heads: &Heads,
        offset: usize,
        key: &Self::Rows,
        value: &Self::Rows,
        cache: &mut Self::KvCache,
    ) -> Result<()>;
    /// Computes causal attention: scores, softmax, weighted sum of the values. Row i of `query` is at position
    /// `offset + i`; the cache must hold all of these positions.
    ///
    /// `query`, `out`: `[rows, query heads, head_dim]`. `out` is resized.
    fn attend(
        &self,
        heads: &Heads,
        offset: usize,
        query: &Self::Rows,
        cache: &Self::KvCache,
        attention: &mut Self::Attention,
        out: &mut Self::Rows,
    ) -> Result<()>;
}
