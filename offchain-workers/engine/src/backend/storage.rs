// SPDX-License-Identifier: Apache-2.0
//! What a backend stores, and how its work is split.

use crate::error::Result;
use std::{borrow::Cow, ops::Range};

/// The storage of a backend: its types, transfers and copies.
pub trait Storage: Clone + Send + Sync + 'static {
    /// A flat buffer of binary32 values. An operation interprets it as rows; the width follows from its operands.
    type Rows: Default + Send + Sync;
    /// A weight matrix `[n, k]`, prepared for products and row lookups.
    type Matrix: Send + Sync;
    /// The cosines and sines of the rotary embedding, `[positions, head_dim / 2]` each.
    type Angles: Send + Sync;
    /// The keys and values of one block, `[key heads, positions, head_dim]` each.
    type KvCache: Send + Sync;
    /// The intermediate results of attention that its backward pass reads.
    type Attention: Default + Send;
    /// Buffers of operations, reused from call to call.
    type Scratch: Default + Send;

    /// Runs `work` on independent items, such as the sequences of a batch, possibly in parallel. `work` must compute
    /// with the backend that it is passed. Of several errors one is returned.
    fn for_each<T: Send>(
        &self,
        items: impl Iterator<Item = T>,
        work: impl Fn(&Self, T) -> Result<()> + Sync,
    ) -> Result<()>;
    /// Returns into how many rows each a feed of `rows` rows should be split for [`Storage::for_each`]; at least 1.
    fn rows_per_task(&self, rows: usize) -> usize;

    /// Stores values.
    fn upload(&self, values: Vec<f32>) -> Result<Self::Rows>;
    /// Returns the values of `rows`, borrowed if they are in host memory.
    fn values<'a>(&self, rows: &'a Self::Rows) -> Result<Cow<'a, [f32]>>;
    /// Resizes `rows` to `values` values; their contents are unspecified.
    fn resize(&self, rows: &mut Self::Rows, values: usize) -> Result<()>;
    /// `to = from`.
    fn copy(&self, from: &Self::Rows, to: &mut Self::Rows) -> Result<()>;
    /// Appends `from[values]` to `to`.
    fn append(&self, from: &Self::Rows, values: Range<usize>, to: &mut Self::Rows) -> Result<()>;
    /// `to = from[values]`.
    fn slice(&self, from: &Self::Rows, values: Range<usize>, to: &mut Self::Rows) -> Result<()> {
        self.resize(to, 0)?;
        self.append(from, values, to)
    }
}
