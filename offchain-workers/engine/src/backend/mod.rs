// SPDX-License-Identifier: Apache-2.0
//! Where a model's numbers live and who computes with them.
//!
//! A decoder is written once, against [`Backend`], and training once, against [`TrainingBackend`],
//! which adds the way back. A backend carries out each operation in the canonical order of
//! docs/numerics.md, so that every backend gives the same bits; it chooses where rows and matrices
//! are kept (in memory, on a device) and how work is spread.
//!
//! | operation | shape | order |
//! |---|---|---|
//! | [`embed`](Backend::embed) | tokens -> [rows, width] | a row of the table, times a scale |
//! | [`linear`](Backend::linear) | [rows, k] -> [rows, n], several n at once | a chain along k, or along its blocks |
//! | [`columns`](Backend::columns) | [rows, k] -> [rows, n], in parts | the same |
//! | [`norm`](Backend::norm) | [rows, width] | RMS norm |
//! | [`add`](Backend::add), [`add_bias`](Backend::add_bias) | [rows, width] | elementwise |
//! | [`rotate`](Backend::rotate) | [rows, heads, width] | rotary positions, halves paired |
//! | [`attend`](Backend::attend) | [rows, heads, width] | scores, softmax, weighted values |
//! | [`gate`](Backend::gate) | [rows, width] | activation(gate) * up |
//!
//! Those of training:
//!
//! | operation | shape | order |
//! |---|---|---|
//! | [`each`](TrainingBackend::each) | | work on the sequences of a batch, spread as the backend likes |
//! | [`pack`](TrainingBackend::pack) | [n, k] -> a matrix, or its transpose | values as they are |
//! | [`loss`](TrainingBackend::loss) | [rows, vocab] -> `[rows]` | cross entropy and its gradient |
//! | [`norm_backward`](TrainingBackend::norm_backward) | [rows, width] | RMS norm's gradient by its input |
//! | [`gate_backward`](TrainingBackend::gate_backward) | [rows, width] | gradients of both factors |
//! | [`rotate_back`](TrainingBackend::rotate_back) | [rows, heads, width] | the other way round |
//! | [`attend_backward`](TrainingBackend::attend_backward) | [rows, heads, width] | heads that share a key head ascending |
//! | [`gradients`](TrainingBackend::gradients) | rows of all sequences -> parameters | a chain along the rows |
//! | [`clip`](TrainingBackend::clip) | parameters -> a factor | a sum of squares for each tensor, then their sum |
//! | [`adamw`](TrainingBackend::adamw) | parameters | elementwise |
//!
//! The gradient of a product by its input is a product too: [`linear`](Backend::linear) with the
//! transposed matrix.

mod cpu;
mod training;

pub use cpu::{Cpu, Matrix};
pub use training::{Packing, Terms, TrainingBackend};

use crate::{
    files::{config::Activation, ElementType},
    Result,
};
use agorai_exact::matmul::Chain;
use std::{borrow::Cow, ops::Range};

/// The heads of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Heads of keys and values; divides `query`.
    pub key: usize,
    /// Elements of a head.
    pub width: usize,
    /// Multiplies the scores.
    pub scale: f32,
    /// How many positions a query sees, its own counted; `None` = all before it.
    pub window: Option<usize>,
}

impl Heads {
    /// Elements of all query heads.
    pub fn query_width(&self) -> usize {
        self.query * self.width
    }

    /// Elements of all key heads.
    pub fn key_width(&self) -> usize {
        self.key * self.width
    }

    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.query / self.key
    }
}

/// Outputs of a part that [`Backend::columns`] hands out.
pub const COLUMNS: usize = agorai_exact::sampling::PART;

/// Takes a part of a product: the first output, and `[rows, outputs of the part]`.
pub type Each<'a> = dyn Fn(usize, &[f32]) -> Result<()> + Sync + 'a;

/// One weight matrix of a product with shared input, and where the product goes.
pub struct Product<'a, B: Backend> {
    /// `[n, k]`.
    pub matrix: &'a B::Matrix,
    /// `[rows, n]`.
    pub out: &'a mut B::Rows,
}

/// The rows of a weight matrix as a file stores them.
pub trait MatrixRows {
    /// Outputs n and inputs k.
    fn shape(&self) -> (usize, usize);
    /// How the rows are stored.
    fn element(&self) -> ElementType;
    /// The bytes of some rows into `to`, in place of what it holds.
    fn read(&mut self, first: usize, count: usize, to: &mut Vec<u8>) -> Result<()>;
}

/// Carries out the operations of a decoder.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Rows of binary32 values.
    type Rows: Default + Send + Sync;
    /// A weight matrix `[n, k]`, ready for products and for taking out rows.
    type Matrix: Send + Sync;
    /// The rotary angles of some positions.
    type Angles: Send + Sync;
    /// The keys and values of one block at the positions read so far.
    type Memory: Send + Sync;
    /// What attention computes on the way, for the way back.
    type Attention: Default + Send;
    /// Buffers of operations, used again from call to call.
    type Scratch: Default + Send;

    /// Does the same work on things that do not depend on each other, such as the sequences of a batch.
    /// The work computes with the backend that it is given.
    fn each<T: Send>(&self, items: impl Iterator<Item = T>, work: impl Fn(&Self, T) -> Result<()> + Sync)
        -> Result<()>;
    /// How many of so many rows of a sequence are best computed apart from the others, by [`Backend::each`],
    /// wherever they do not depend on each other.
    fn rows_apart(&self, rows: usize) -> usize;

    /// Takes a matrix in, some rows at a time, so that no second copy of it is ever held.
    fn matrix(&self, rows: &mut dyn MatrixRows) -> Result<Self::Matrix>;
    /// Takes values in.
    fn upload(&self, values: Vec<f32>) -> Result<Self::Rows>;
    /// The values of rows, borrowed where they are in memory.
    fn values<'a>(&self, rows: &'a Self::Rows) -> Result<Cow<'a, [f32]>>;
    /// Makes room for so many values; what they are is left open.
    fn resize(&self, rows: &mut Self::Rows, values: usize) -> Result<()>;
    /// Angles of positions below `positions` from a frequency for each pair of a head.
    fn angles(&self, frequencies: &[f32], positions: usize) -> Result<Self::Angles>;
    /// The memory of an empty sequence of at most so many positions.
    fn memory(&self, heads: &Heads, positions: usize) -> Result<Self::Memory>;

    /// `out[i] = table[tokens[i]] * scale`.
    fn embed(&self, table: &Self::Matrix, tokens: &[u32], scale: f32, out: &mut Self::Rows) -> Result<()>;
    /// `out = x w^T` for each product, or continues the chains that are in `out`.
    fn linear(
        &self,
        chain: Chain,
        x: &Self::Rows,
        products: &mut [Product<'_, Self>],
        scratch: &mut Self::Scratch,
    ) -> Result<()>;
    /// `x w^T` in parts of [`COLUMNS`] outputs, the last one shorter, for products that are too large to keep:
    /// `each` takes every part once, in any order and on any thread, while it is still near.
    fn columns(
        &self,
        x: &Self::Rows,
        matrix: &Self::Matrix,
        scratch: &mut Self::Scratch,
        each: &Each<'_>,
    ) -> Result<()>;
    /// `out = norm(x) * weight` for rows as wide as the weight; 1 / rms of each row in `inv`, `[rows]`.
    fn norm(
        &self,
        x: &Self::Rows,
        weight: &Self::Rows,
        eps: f32,
        out: &mut Self::Rows,
        inv: &mut Self::Rows,
    ) -> Result<()>;
    /// `out += x`.
    fn add(&self, x: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
    /// `out[i] += bias` for each row.
    fn add_bias(&self, bias: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
    /// `to = from`.
    fn copy(&self, from: &Self::Rows, to: &mut Self::Rows) -> Result<()>;
    /// Adds a run of the values of `from` to the end of `to`.
    fn append(&self, from: &Self::Rows, values: Range<usize>, to: &mut Self::Rows) -> Result<()>;
    /// `to` = a run of the values of `from`.
    fn part(&self, from: &Self::Rows, values: Range<usize>, to: &mut Self::Rows) -> Result<()> {
        self.resize(to, 0)?;
        self.append(from, values, to)
    }
    /// Rotates every head of rows of `row` values at consecutive positions from `offset` on.
    fn rotate(&self, angles: &Self::Angles, offset: usize, rows: &mut Self::Rows, row: usize) -> Result<()>;
    /// Puts keys and values into the memory, in place of what it holds from position `offset` on.
    fn remember(
        &self,
        heads: &Heads,
        offset: usize,
        key: &Self::Rows,
        value: &Self::Rows,
        memory: &mut Self::Memory,
    ) -> Result<()>;
    /// Attends to what the memory holds; the first row is at position `offset`, and the memory reaches at
    /// least to the last one's.
    fn attend(
        &self,
        heads: &Heads,
        offset: usize,
        query: &Self::Rows,
        memory: &Self::Memory,
        attention: &mut Self::Attention,
        out: &mut Self::Rows,
    ) -> Result<()>;
    /// `out = activation(gate) * up`.
    fn gate(&self, activation: Activation, gate: &Self::Rows, up: &Self::Rows, out: &mut Self::Rows) -> Result<()>;
}
