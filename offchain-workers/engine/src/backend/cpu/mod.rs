// SPDX-License-Identifier: Apache-2.0
//! The processor's backend: rows are vectors in memory, matrices are packed for the kernels of
//! `agorai-exact`, work is spread over the threads of [`Means`].
//!
//! Several rows are split by rows, one row is split by its outputs, and so are products that are handed out in
//! parts; nothing of this changes a bit.

mod attention;
mod rows;
mod training;

use super::{Backend, Each, Heads, MatrixRows, Product, COLUMNS};
use crate::{
    files::{config::Activation, ElementType},
    parallel::Means,
    Result,
};
use agorai_exact::{
    elementwise,
    matmul::{matmul_panels, Chain, PANEL},
    quant::{quant_matmul, QuantMatrix, QuantRows},
    rope::RopeTable,
    PackedMatrix,
};
use attention::{attend, BackwardScratch, Head, Memory};
use rayon::prelude::*;
use std::{
    borrow::Cow,
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Rows that one task computes at most: its inputs stay in the second-level cache. Whole tiles of the
/// kernels, which have 12 rows for binary32 ...
const ROWS: usize = 72;
/// ... and 16 for blocks.
const QUANT_ROWS: usize = 96;
/// Multiply-adds that are worth a task of their own.
const TASK: usize = 1 << 17;
/// Bytes of a file that are read at once while a matrix is taken in.
const READ: usize = 4 << 20;

/// The processor.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Instruction set and threads.
    pub means: Means,
}

/// A matrix packed for the kernels.
pub enum Matrix {
    /// Binary32.
    F32(PackedMatrix),
    /// Blocks of small integers.
    Quant(QuantMatrix),
}

impl Default for Matrix {
    /// No outputs.
    fn default() -> Self {
        Matrix::F32(PackedMatrix::default())
    }
}

impl Matrix {
    /// Inputs.
    pub fn k(&self) -> usize {
        match self {
            Matrix::F32(matrix) => matrix.k(),
            Matrix::Quant(matrix) => matrix.k(),
        }
    }

    /// Outputs.
    pub fn n(&self) -> usize {
        match self {
            Matrix::F32(matrix) => matrix.n(),
            Matrix::Quant(matrix) => matrix.n(),
        }
    }

    fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        match self {
            Matrix::F32(matrix) => matrix.row(index, out)?,
            Matrix::Quant(matrix) => matrix.row(index, out)?,
        }
        Ok(())
    }
}

/// Buffers that operations use again.
#[derive(Default)]
pub struct Scratch {
    quantised: Vec<QuantRows>,
    backward: BackwardScratch,
    /// A part of a product for each thread.
    parts: Vec<Mutex<Vec<f32>>>,
}

impl Cpu {
    /// Rows of one task out of so many.
    fn rows_each(&self, rows: usize, most: usize) -> usize {
        rows.div_ceil(self.means.threads.max(1)).clamp(1, most)
    }

    /// The product of some rows with some panels.
    fn product(
        &self,
        chain: Chain,
        x: &[f32],
        quantised: &QuantRows,
        matrix: &Matrix,
        panels: Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let isa = self.means.isa;
        match matrix {
            Matrix::F32(matrix) => matmul_panels(isa, chain, x, matrix, panels, out)?,
            Matrix::Quant(matrix) => quant_matmul(isa, chain, quantised, matrix, panels, out)?,
        }
        Ok(())
    }
}

/// Panels of 32 columns.
fn panels(n: usize) -> usize {
    n.div_ceil(PANEL)
}

impl Backend for Cpu {
    type Rows = Vec<f32>;
    type Matrix = Matrix;
    type Angles = RopeTable;
    type Memory = Vec<Memory>;
    type Attention = Vec<Head>;
    type Scratch = Scratch;

    fn each<T: Send>(
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
        let alone = &Self {
            means: self.means.alone(),
        };
        let (items, work) = (std::iter::once(first).chain(items), &work);
        self.means.run(items.map(|item| move || work(alone, item)))
    }

    fn rows_apart(&self, rows: usize) -> usize {
        let threads = self.means.threads.max(1);
        let shares = rows.div_ceil(QUANT_ROWS).next_multiple_of(threads);
        rows.div_ceil(shares).max(1)
    }

    fn matrix(&self, rows: &mut dyn MatrixRows) -> Result<Matrix> {
        let ((n, k), element) = (rows.shape(), rows.element());
        let row_bytes = element.bytes(k as u64).and_then(|b| usize::try_from(b).ok());
        let row_bytes = row_bytes.ok_or(agorai_exact::Error::Shape)?;
        // Whole panels at a time.
        let together = (READ / row_bytes.max(1) / PANEL).max(1) * PANEL;
        let mut matrix = match element {
            ElementType::Block(format) => Matrix::Quant(QuantMatrix::new(format, n, k)?),
            _ => Matrix::F32(PackedMatrix::zeros(n, k)?),
        };
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        for first in (0..n).step_by(together) {
            rows.read(first, together.min(n - first), &mut bytes)?;
            match &mut matrix {
                Matrix::Quant(matrix) => matrix.set_rows(first, &bytes)?,
                Matrix::F32(matrix) => {
                    element.decode_plain(&bytes, &mut values);
                    matrix.set_rows(first, &values)?;
                }
            }
        }
        Ok(matrix)
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

    fn angles(&self, frequencies: &[f32], positions: usize) -> Result<RopeTable> {
        Ok(RopeTable::from_frequencies(frequencies, positions)?)
    }

    fn memory(&self, heads: &Heads, positions: usize) -> Result<Vec<Memory>> {
        let memory = |_| Memory::new(heads.width, positions);
        (0..heads.key).map(memory).collect()
    }

    fn embed(&self, table: &Matrix, tokens: &[u32], scale: f32, out: &mut Vec<f32>) -> Result<()> {
        let width = table.k();
        out.resize(tokens.len() * width, 0.0);
        for (token, row) in tokens.iter().zip(out.chunks_exact_mut(width)) {
            table.row(*token as usize, row)?;
            if scale != 1.0 {
                elementwise::scale(self.means.isa, scale, row)?;
            }
        }
        Ok(())
    }

    fn linear(
        &self,
        chain: Chain,
        x: &Vec<f32>,
        products: &mut [Product<'_, Self>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Some(first) = products.first() else {
            return Ok(());
        };
        let k = first.matrix.k();
        if k == 0 || !x.len().is_multiple_of(k) || products.iter().any(|p| p.matrix.k() != k) {
            return Err(agorai_exact::Error::Shape.into());
        }
        let rows = x.len() / k;
        let quantise = products.iter().any(|p| matches!(p.matrix, Matrix::Quant(_)));
        for p in products.iter_mut() {
            let values = rows * p.matrix.n();
            match chain {
                Chain::Start => p.out.resize(values, 0.0),
                Chain::Continue if p.out.len() != values => return Err(agorai_exact::Error::Shape.into()),
                Chain::Continue => {}
            }
        }
        let most = if quantise { QUANT_ROWS } else { ROWS };
        let each = self.rows_each(rows, most);
        let tasks = rows.div_ceil(each).max(1);
        scratch
            .quantised
            .resize_with(tasks.max(scratch.quantised.len()), QuantRows::default);
        let isa = self.means.isa;
        if rows == 1 {
            let quantised = &mut scratch.quantised[0];
            if quantise {
                quantised.quantise(isa, x, k)?;
            }
            let quantised = &*quantised;
            let least = (TASK / (k * PANEL)).max(1);
            let work = |p: &mut Product<'_, Self>| {
                let all = panels(p.matrix.n());
                let step = all.div_ceil(4 * self.means.threads).max(least);
                let (matrix, parts) = (p.matrix, p.out.par_chunks_mut(step * PANEL));
                parts.enumerate().try_for_each(|(index, part)| {
                    let range = index * step..all.min((index + 1) * step);
                    self.product(chain, x, quantised, matrix, range, part)
                })
            };
            if self.means.threads == 1 {
                return products.iter_mut().try_for_each(|p| {
                    let all = panels(p.matrix.n());
                    self.product(chain, x, quantised, p.matrix, 0..all, p.out)
                });
            }
            return self.means.spread(|| products.par_iter_mut().try_for_each(work));
        }
        // Quantise once, then every product of these rows.
        let work = |first: usize, quantised: &mut QuantRows, outs: &mut [(&Matrix, &mut [f32])]| {
            let x = &x[first * k..][..outs_rows(outs) * k];
            if quantise {
                quantised.quantise(isa, x, k)?;
            }
            outs.iter_mut()
                .try_for_each(|(matrix, out)| self.product(chain, x, quantised, matrix, 0..panels(matrix.n()), out))
        };
        let mut parts: Vec<Vec<(&Matrix, &mut [f32])>> = Vec::with_capacity(tasks);
        parts.resize_with(tasks, Vec::new);
        for p in products.iter_mut() {
            let step = each * p.matrix.n().max(1);
            for (part, out) in parts.iter_mut().zip(p.out.chunks_mut(step)) {
                part.push((p.matrix, out));
            }
        }
        let tasks = parts.iter_mut().zip(&mut scratch.quantised).enumerate();
        if self.means.threads == 1 {
            let mut tasks = tasks;
            return tasks.try_for_each(|(i, (outs, q))| work(i * each, q, outs));
        }
        let tasks: Vec<_> = tasks.collect();
        self.means.spread(|| {
            tasks
                .into_par_iter()
                .with_max_len(1)
                .try_for_each(|(i, (outs, q))| work(i * each, q, outs))
        })
    }

    fn columns(&self, x: &Vec<f32>, matrix: &Matrix, scratch: &mut Scratch, each: &Each<'_>) -> Result<()> {
        let (k, n) = (matrix.k(), matrix.n());
        if k == 0 || !x.len().is_multiple_of(k) {
            return Err(agorai_exact::Error::Shape.into());
        }
        let rows = x.len() / k;
        scratch
            .quantised
            .resize_with(1.max(scratch.quantised.len()), QuantRows::default);
        let quantised = &mut scratch.quantised[0];
        if matches!(matrix, Matrix::Quant(_)) {
            quantised.quantise(self.means.isa, x, k)?;
        }
        let threads = self.means.threads.max(1);
        scratch.parts.resize_with(threads, Default::default);
        let (quantised, parts) = (&*quantised, &scratch.parts);
        let work = |first: usize| {
            let thread = rayon::current_thread_index().unwrap_or(0) % threads;
            let mut part = parts[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let last = n.min(first + COLUMNS);
            part.resize(rows * (last - first), 0.0);
            let range = first / PANEL..panels(last);
            self.product(Chain::Start, x, quantised, matrix, range, &mut part)?;
            each(first, &part)
        };
        let firsts = (0..n.div_ceil(COLUMNS)).map(|index| index * COLUMNS);
        if threads == 1 {
            let mut firsts = firsts;
            return firsts.try_for_each(work);
        }
        let firsts: Vec<usize> = firsts.collect();
        self.means
            .spread(|| firsts.into_par_iter().with_max_len(1).try_for_each(work))
    }

    fn norm(&self, x: &Vec<f32>, weight: &Vec<f32>, eps: f32, out: &mut Vec<f32>, inv: &mut Vec<f32>) -> Result<()> {
        rows::norm(self.means, x, weight, eps, out, inv)
    }

    fn add(&self, x: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        Ok(elementwise::add_assign(self.means.isa, out, x)?)
    }

    fn add_bias(&self, bias: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        Ok(elementwise::add_bias(self.means.isa, out, bias)?)
    }

    fn copy(&self, from: &Vec<f32>, to: &mut Vec<f32>) -> Result<()> {
        to.clone_from(from);
        Ok(())
    }

    fn append(&self, from: &Vec<f32>, values: Range<usize>, to: &mut Vec<f32>) -> Result<()> {
        let values = from.get(values).ok_or(agorai_exact::Error::Shape)?;
        to.extend_from_slice(values);
        Ok(())
    }

    fn rotate(&self, angles: &RopeTable, offset: usize, rows: &mut Vec<f32>, row: usize) -> Result<()> {
        rows::rotate(self.means, RopeTable::rotate, angles, offset, rows, row)
    }

    fn remember(
        &self,
        heads: &Heads,
        offset: usize,
        key: &Vec<f32>,
        value: &Vec<f32>,
        memory: &mut Vec<Memory>,
    ) -> Result<()> {
        for (head, memory) in memory.iter_mut().enumerate() {
            memory.extend(heads, head, offset, key, value)?;
        }
        Ok(())
    }

    fn attend(
        &self,
        heads: &Heads,
        offset: usize,
        query: &Vec<f32>,
        memory: &Vec<Memory>,
        attention: &mut Vec<Head>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        out.resize(query.len(), 0.0);
        attend(self.means, heads, offset, query, memory, attention, out)
    }

    fn gate(&self, activation: Activation, gate: &Vec<f32>, up: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        rows::gate(self.means, activation, gate, up, out)
    }
}

/// Rows of a task's outputs.
fn outs_rows(outs: &[(&Matrix, &mut [f32])]) -> usize {
    outs.first().map_or(0, |(matrix, out)| out.len() / matrix.n().max(1))
}
