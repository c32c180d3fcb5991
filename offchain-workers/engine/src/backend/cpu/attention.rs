// SPDX-License-Identifier: Apache-2.0
//! Attention on the CPU; the query heads are computed in parallel.

use super::{
    heads::{attend, Head, HeadCache},
    storage::Cpu,
};
use crate::{backend::attention::AttentionOps, config::Heads, error::Result};

impl AttentionOps for Cpu {
    fn kv_cache(&self, heads: &Heads, positions: usize) -> Result<Vec<HeadCache>> {
        let cache = |_| HeadCache::new(heads.width, positions);
        (0..heads.key).map(cache).collect()
    }

    fn append_kv(
        &self,
        heads: &Heads,
        offset: usize,
        key: &Vec<f32>,
        value: &Vec<f32>,
        cache: &mut Vec<HeadCache>,
    ) -> Result<()> {
        for (head, cache) in cache.iter_mut().enumerate() {
            cache.append(heads, head, offset, key, value)?;
        }
        Ok(())
    }

    fn attend(
        &self,
        heads: &Heads,
        offset: usize,
        query: &Vec<f32>,
        cache: &Vec<HeadCache>,
        attention: &mut Vec<Head>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        out.resize(query.len(), 0.0);
        attend(self.compute, heads, offset, query, cache, attention, out)
    }
}
