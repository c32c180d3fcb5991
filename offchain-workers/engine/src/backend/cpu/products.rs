// SPDX-License-Identifier: Apache-2.0
//! Products on the CPU.

use super::storage::{Cpu, Matrix, Scratch, MAX_QUANT_ROWS};
use crate::{
    backend::products::{MatrixRows, OnChunk, Product, ProductOps, CHUNK},
    error::Result,
};
use agorai_exact::{
    element::ElementType,
    elementwise,
    matmul::{matmul_panels, Accumulate, PANEL},
    quant::{quant_matmul, QuantMatrix, QuantRows},
    Error, Expected, Operation, PackedMatrix,
};
use rayon::prelude::*;
use std::{ops::Range, sync::PoisonError};

/// Maximum number of binary32 rows that one task computes: whole tiles of the kernels, which have 12 rows, and few
/// enough to stay in the second-level cache.
const MAX_ROWS: usize = 72;
/// Minimum number of multiply-adds of a task.
const MIN_TASK: usize = 1 << 17;
/// Bytes of a file that are read at once while a matrix is loaded.
const READ_BYTES: usize = 4 << 20;

impl Cpu {
    /// Returns the rows of one task of a product of `rows` rows, 1 to `max`.
    fn rows_per_product_task(&self, rows: usize, max: usize) -> usize {
        rows.div_ceil(self.compute.threads.max(1)).clamp(1, max)
    }

    /// Computes the outputs of a range of panels for all rows of `x`.
    fn product(
        &self,
        accumulate: Accumulate,
        x: &[f32],
        quantised: &QuantRows,
        matrix: &Matrix,
        panels: Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let isa = self.compute.isa;
        match matrix {
            Matrix::F32(matrix) => matmul_panels(isa, accumulate, x, matrix, panels, out)?,
            Matrix::Quant(matrix) => quant_matmul(isa, accumulate, quantised, matrix, panels, out)?,
        }
        Ok(())
    }
}

/// Returns the number of panels of n outputs.
fn panels(n: usize) -> usize {
    n.div_ceil(PANEL)
}

impl ProductOps for Cpu {
    fn load_matrix(&self, rows: &mut dyn MatrixRows) -> Result<Matrix> {
        let ((n, k), element) = (rows.shape(), rows.element());
        let row_bytes = element.bytes(k as u64).and_then(|b| usize::try_from(b).ok());
        let row_bytes = row_bytes.ok_or_else(|| {
            let expected = Expected::MultipleOf(element.block_len());
            Error::shape("load_matrix", "input features", expected, k)
        })?;
        // A multiple of the panel size.
        let batch_rows = (READ_BYTES / row_bytes.max(1) / PANEL).max(1) * PANEL;
        let mut matrix = match element {
            ElementType::Block(format) => Matrix::Quant(QuantMatrix::new(format, n, k)?),
            _ => Matrix::F32(PackedMatrix::zeros(n, k)?),
        };
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        for first in (0..n).step_by(batch_rows) {
            rows.read(first, batch_rows.min(n - first), &mut bytes)?;
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

    fn embed(&self, table: &Matrix, tokens: &[u32], scale: f32, out: &mut Vec<f32>) -> Result<()> {
        let width = table.in_features();
        out.resize(tokens.len() * width, 0.0);
        for (token, row) in tokens.iter().zip(out.chunks_exact_mut(width)) {
            table.row(*token as usize, row)?;
            if scale != 1.0 {
                elementwise::scale(self.compute.isa, scale, row)?;
            }
        }
        Ok(())
    }

    fn linear(
        &self,
        accumulate: Accumulate,
        x: &Vec<f32>,
        products: &mut [Product<'_, Self>],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Some(first) = products.first() else {
            return Ok(());
        };
        let k = first.matrix.in_features();
        let operation = Operation("linear");
        operation.rows_of("elements of x", k, x.len())?;
        for p in products.iter() {
            operation.exactly("input features", k, p.matrix.in_features())?;
        }
        let rows = x.len() / k;
        let quantise = products.iter().any(|p| matches!(p.matrix, Matrix::Quant(_)));
        for p in products.iter_mut() {
            let values = rows * p.matrix.out_features();
            match accumulate {
                Accumulate::Overwrite => p.out.resize(values, 0.0),
                Accumulate::Add => operation.exactly("elements of out", values, p.out.len())?,
            }
        }
        let max = if quantise { MAX_QUANT_ROWS } else { MAX_ROWS };
        let each = self.rows_per_product_task(rows, max);
        let tasks = rows.div_ceil(each).max(1);
        scratch
            .quantised
            .resize_with(tasks.max(scratch.quantised.len()), QuantRows::default);
        let isa = self.compute.isa;
        if rows == 1 {
            let quantised = &mut scratch.quantised[0];
            if quantise {
                quantised.quantise(isa, x, k)?;
            }
            let quantised = &*quantised;
            let least = (MIN_TASK / (k * PANEL)).max(1);
            let work = |p: &mut Product<'_, Self>| {
                let all = panels(p.matrix.out_features());
                let step = all.div_ceil(4 * self.compute.threads).max(least);
                let (matrix, parts) = (p.matrix, p.out.par_chunks_mut(step * PANEL));
                parts.enumerate().try_for_each(|(index, part)| {
                    let range = index * step..all.min((index + 1) * step);
                    self.product(accumulate, x, quantised, matrix, range, part)
                })
            };
            if self.compute.threads == 1 {
                return products.iter_mut().try_for_each(|p| {
                    let all = panels(p.matrix.out_features());
                    self.product(accumulate, x, quantised, p.matrix, 0..all, p.out)
                });
            }
            return self.compute.in_pool(|| products.par_iter_mut().try_for_each(work));
        }
        // Quantise once, then every product of these rows.
        let work = |first: usize, quantised: &mut QuantRows, outs: &mut [(&Matrix, &mut [f32])]| {
            let x = &x[first * k..][..outs_rows(outs) * k];
            if quantise {
                quantised.quantise(isa, x, k)?;
            }
            outs.iter_mut().try_for_each(|(matrix, out)| {
                self.product(accumulate, x, quantised, matrix, 0..panels(matrix.out_features()), out)
            })
        };
        let mut parts: Vec<Vec<(&Matrix, &mut [f32])>> = Vec::with_capacity(tasks);
        parts.resize_with(tasks, Vec::new);
        for p in products.iter_mut() {
            let step = each * p.matrix.out_features().max(1);
            for (part, out) in parts.iter_mut().zip(p.out.chunks_mut(step)) {
                part.push((p.matrix, out));
            }
        }
        let tasks = parts.iter_mut().zip(&mut scratch.quantised).enumerate();
        if self.compute.threads == 1 {
            let mut tasks = tasks;
            return tasks.try_for_each(|(i, (outs, q))| work(i * each, q, outs));
        }
        let tasks: Vec<_> = tasks.collect();
        self.compute.in_pool(|| {
            tasks
                .into_par_iter()
                .with_max_len(1)
                .try_for_each(|(i, (outs, q))| work(i * each, q, outs))
        })
    }

    fn linear_chunks(
        &self,
        x: &Vec<f32>,
        matrix: &Matrix,
        scratch: &mut Scratch,
        on_chunk: &OnChunk<'_>,
    ) -> Result<()> {
        let (k, n) = (matrix.in_features(), matrix.out_features());
        Operation("linear_chunks").rows_of("elements of x", k, x.len())?;
        let rows = x.len() / k;
        scratch
            .quantised
            .resize_with(1.max(scratch.quantised.len()), QuantRows::default);
        let quantised = &mut scratch.quantised[0];
        if matches!(matrix, Matrix::Quant(_)) {
            quantised.quantise(self.compute.isa, x, k)?;
        }
        let threads = self.compute.threads.max(1);
        scratch.chunks.resize_with(threads, Default::default);
        let (quantised, chunks) = (&*quantised, &scratch.chunks);
        let work = |first: usize| {
            let thread = rayon::current_thread_index().unwrap_or(0) % threads;
            let mut chunk = chunks[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let last = n.min(first + CHUNK);
            chunk.resize(rows * (last - first), 0.0);
            let range = first / PANEL..panels(last);
            self.product(Accumulate::Overwrite, x, quantised, matrix, range, &mut chunk)?;
            on_chunk(first, &chunk)
        };
        let firsts = (0..n.div_ceil(CHUNK)).map(|index| index * CHUNK);
        if threads == 1 {
            let mut firsts = firsts;
            return firsts.try_for_each(work);
        }
        let firsts: Vec<usize> = firsts.collect();
        self.compute
            .in_pool(|| firsts.into_par_iter().with_max_len(1).try_for_each(work))
    }
}

/// Returns the number of rows of the outputs of a task.
fn outs_rows(outs: &[(&Matrix, &mut [f32])]) -> usize {
    outs.first()
        .map_or(0, |(matrix, out)| out.len() / matrix.out_features().max(1))
}
