// SPDX-License-Identifier: Apache-2.0
//! What the CPU backend stores.

use super::heads::{BackwardScratch, Head, HeadCache};
use crate::{backend::storage::Storage, error::Result, parallel::ComputeConfig};
use agorai_exact::{
    quant::{QuantMatrix, QuantRows},
    rope::RopeTable,
    Operation, PackedMatrix,
};
use std::{borrow::Cow, ops::Range, sync::Mutex};

/// Maximum number of rows of quantised activations that one task computes: whole tiles of the kernels, which have 16
/// rows, and few enough to stay in the second-level cache.
pub(super) const MAX_QUANT_ROWS: usize = 96;

/// The CPU.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Instruction set and threads.
    pub compute: ComputeConfig,
}

/// A matrix `[n, k]` packed for the kernels.
pub enum Matrix {
    /// Binary32.
    F32(PackedMatrix),
    /// Quantised blocks.
    Quant(QuantMatrix),
}

impl Default for Matrix {
    /// Returns a matrix without outputs.
    fn default() -> Self {
        Matrix::F32(PackedMatrix::default())
    }
}

impl Matrix {
    /// Returns the number of inputs.
    pub fn in_features(&self) -> usize {
        match self {
            Matrix::F32(matrix) => matrix.in_features(),
            Matrix::Quant(matrix) => matrix.in_features(),
        }
    }

    /// Returns the number of outputs.
    pub fn out_features(&self) -> usize {
        match self {
            Matrix::F32(matrix) => matrix.out_features(),
            Matrix::Quant(matrix) => matrix.out_features(),
        }
    }

    /// Copies row `index`, `[k]`, to `out`.
    pub(super) fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        match self {
            Matrix::F32(matrix) => matrix.row(index, out)?,
            Matrix::Quant(matrix) => matrix.row(index, out)?,
        }
        Ok(())
    }
}

/// Buffers that operations reuse.
#[derive(Default)]
pub struct Scratch {
    pub(super) quantised: Vec<QuantRows>,
    pub(super) backward: BackwardScratch,
    /// A chunk of a product for each thread.
    pub(super) chunks: Vec<Mutex<Vec<f32>>>,
}

impl Storage for Cpu {
    type Rows = Vec<f32>;
    type Matrix = Matrix;
    type Angles = RopeTable;
    type KvCache = Vec<HeadCache>;
    type Attention = Vec<Head>;
    type Scratch = Scratch;

    fn for_each<T: Send>(
        &self,
        items: impl Iterator<Item = T>,
        work: impl Fn(&Self, T) -> Result<()> + Sync,
    ) -> Result<()> {
        let mut items = items.peekable();
        let Some(first) = items.next() else {
            return Ok(());
        };
        if items.peek().is_none() {
            return work(self, first);
        }
        let single = &Self {
            compute: self.compute.single_threaded(),
        };
        let (items, work) = (std::iter::once(first).chain(items), &work);
        self.compute.run_tasks(items.map(|item| move || work(single, item)))
    }

    fn rows_per_task(&self, rows: usize) -> usize {
        let threads = self.compute.threads.max(1);
        let tasks = rows.div_ceil(MAX_QUANT_ROWS).next_multiple_of(threads);
        rows.div_ceil(tasks).max(1)
    }

    fn upload(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        Ok(values)
    }

    fn values<'a>(&self, rows: &'a Vec<f32>) -> Result<Cow<'a, [f32]>> {
        Ok(Cow::Borrowed(rows))
    }

    fn resize(&self, rows: &mut Vec<f32>, values: usize) -> Result<()> {
        rows.resize(values, 0.0);
        Ok(())
    }

    fn copy(&self, from: &Vec<f32>, to: &mut Vec<f32>) -> Result<()> {
        to.clone_from(from);
        Ok(())
    }

    fn append(&self, from: &Vec<f32>, values: Range<usize>, to: &mut Vec<f32>) -> Result<()> {
        Operation("append").range_within("values", from.len(), &values)?;
        to.extend_from_slice(&from[values]);
        Ok(())
    }
}
