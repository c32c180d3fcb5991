// SPDX-License-Identifier: Apache-2.0
//! Matrix products and row lookups.

use super::storage::Storage;
use crate::error::Result;
use agorai_exact::{element::ElementType, matmul::Accumulate};

/// Outputs of a chunk of [`ProductOps::linear_chunks`].
pub const CHUNK: usize = agorai_exact::sampling::CHUNK;

/// Receives a chunk of a product: the index of its first output, and its values `[rows, outputs of the chunk]`.
pub type OnChunk<'a> = dyn Fn(usize, &[f32]) -> Result<()> + Sync + 'a;

/// One weight matrix of several products with shared input, and its outputs.
pub struct Product<'a, B: Storage> {
    /// `[n, k]`.
    pub matrix: &'a B::Matrix,
    /// `[rows, n]`.
    pub out: &'a mut B::Rows,
}

/// The rows of a weight matrix as they are stored in a file.
pub trait MatrixRows {
    /// Returns the number of outputs n and of inputs k.
    fn shape(&self) -> (usize, usize);
    /// Returns the element type of the stored rows.
    fn element(&self) -> ElementType;
    /// Replaces `to` by the bytes of `count` rows from row `first` on.
    fn read(&mut self, first: usize, count: usize, to: &mut Vec<u8>) -> Result<()>;
}

/// The products of inputs with weight matrices.
pub trait ProductOps: Storage {
    /// Loads a matrix `[n, k]`, a few rows at a time: it is never in memory twice.
    fn load_matrix(&self, rows: &mut dyn MatrixRows) -> Result<Self::Matrix>;
    /// `out[i] = table[tokens[i]] * scale`; `table`: `[vocab, width]`, `out`: `[tokens, width]`, resized.
    fn embed(&self, table: &Self::Matrix, tokens: &[u32], scale: f32, out: &mut Self::Rows) -> Result<()>;
    /// `out = x w^T` for each product, or `out += x w^T`, the terms accumulated onto `out` one by one. Each output is
    /// one accumulation along k, or along the blocks of a quantised matrix.
    ///
    /// `x`: `[rows, k]`, the same k for every product; `w`: `[n, k]`; `out`: `[rows, n]`, resized if overwritten.
    fn linear(
        &self,
        accumulate: Accumulate,
        x: &Self::Rows,
        products: &mut [Product<'_, Self>],
        scratch: &mut Self::Scratch,
    ) -> Result<()>;
    /// `x w^T` in chunks of [`CHUNK`] outputs, the last one shorter, for products that are too large to materialise.
    /// `on_chunk` receives every chunk once, in any order and on any thread, while it is in the CPU cache.
    ///
    /// `x`: `[rows, k]`; `matrix`: `[n, k]`.
    fn linear_chunks(
        &self,
        x: &Self::Rows,
        matrix: &Self::Matrix,
        scratch: &mut Self::Scratch,
        on_chunk: &OnChunk<'_>,
    ) -> Result<()>;
}
