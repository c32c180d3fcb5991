// SPDX-License-Identifier: Apache-2.0
//! Row operations on the CPU; a task computes several rows or values.

use super::storage::Cpu;
use crate::{
    backend::rows::RowOps,
    config::Activation,
    error::{Error, Result},
    parallel::ComputeConfig,
};
use agorai_exact::{elementwise, gated, norm as exact, rope::RopeTable, Isa, Operation};
use rayon::prelude::*;

/// Maximum number of rows that one task computes.
const MAX_ROWS: usize = 64;
/// Number of values of a task.
const TASK_VALUES: usize = 1 << 14;

impl RowOps for Cpu {
    fn norm(&self, x: &Vec<f32>, weight: &Vec<f32>, eps: f32, out: &mut Vec<f32>, inv: &mut Vec<f32>) -> Result<()> {
        norm(self.compute, x, weight, eps, out, inv)
    }

    fn add(&self, x: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        Ok(elementwise::add_assign(self.compute.isa, out, x)?)
    }

    fn add_bias(&self, bias: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        Ok(elementwise::add_bias(self.compute.isa, out, bias)?)
    }

    fn angles(&self, frequencies: &[f32], positions: usize) -> Result<RopeTable> {
        Ok(RopeTable::from_frequencies(frequencies, positions)?)
    }

    fn rotate(&self, angles: &RopeTable, offset: usize, rows: &mut Vec<f32>, row: usize) -> Result<()> {
        rotate(self.compute, RopeTable::rotate, angles, offset, rows, row)
    }

    fn gate(&self, activation: Activation, gate: &Vec<f32>, up: &Vec<f32>, out: &mut Vec<f32>) -> Result<()> {
        self::gate(self.compute, activation, gate, up, out)
    }
}

/// `out = norm(x) * weight`, and 1 / rms of each row in `inv`.
fn norm(
    compute: ComputeConfig,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    out: &mut Vec<f32>,
    inv: &mut Vec<f32>,
) -> Result<()> {
    let width = weight.len().max(1);
    Operation("norm").multiple_of("elements of x", width, x.len())?;
    out.resize(x.len(), 0.0);
    inv.resize(x.len() / width, 0.0);
    let task_rows = (TASK_VALUES / width).clamp(1, MAX_ROWS);
    let work = |((x, out), inv): ((&[f32], &mut [f32]), &mut [f32])| {
        Ok(exact::rmsnorm(compute.isa, x, weight, eps, out, inv)?)
    };
    let step = task_rows * width;
    if compute.threads == 1 || x.len() <= step {
        return work(((x, out), inv));
    }
    compute.in_pool(|| {
        let rows = x.par_chunks(step).zip(out.par_chunks_mut(step));
        rows.zip(inv.par_chunks_mut(task_rows)).try_for_each(work)
    })
}

/// Applies `turn`, a rotation or its inverse, to every head of rows of `row` values at consecutive positions from
/// `offset` on.
pub(super) fn rotate(
    compute: ComputeConfig,
    turn: fn(&RopeTable, Isa, &[u32], &mut [f32]) -> agorai_exact::Result<()>,
    angles: &RopeTable,
    offset: usize,
    rows: &mut [f32],
    row: usize,
) -> Result<()> {
    Operation("rotate").rows_of("elements of the rows", row, rows.len())?;
    let task_rows = (TASK_VALUES / row).clamp(1, MAX_ROWS);
    let work = |(index, part): (usize, &mut [f32])| {
        let mut positions = [0u32; MAX_ROWS];
        let positions = &mut positions[..part.len() / row];
        for (i, position) in positions.iter_mut().enumerate() {
            let at = offset + index * task_rows + i;
            *position = u32::try_from(at).map_err(|_| Error::Spec("a position exceeds 32 bits"))?;
        }
        Ok(turn(angles, compute.isa, positions, part)?)
    };
    let step = task_rows * row;
    if compute.threads == 1 || rows.len() <= step {
        return rows.chunks_mut(step).enumerate().try_for_each(work);
    }
    compute.in_pool(|| rows.par_chunks_mut(step).enumerate().try_for_each(work))
}

/// `out = activation(gate) * up`.
fn gate(compute: ComputeConfig, activation: Activation, gate: &[f32], up: &[f32], out: &mut Vec<f32>) -> Result<()> {
    Operation("gate").exactly("elements of up", gate.len(), up.len())?;
    out.resize(gate.len(), 0.0);
    let work = |((gate, up), out): ((&[f32], &[f32]), &mut [f32])| {
        match activation {
            Activation::Silu => gated::swiglu(compute.isa, gate, up, out)?,
            Activation::GeluTanh => gated::geglu(compute.isa, gate, up, out)?,
        }
        Ok(())
    };
    if compute.threads == 1 || gate.len() <= TASK_VALUES {
        return work(((gate, up), out));
    }
    compute.in_pool(|| {
        let inputs = gate.par_chunks(TASK_VALUES).zip(up.par_chunks(TASK_VALUES));
        inputs.zip(out.par_chunks_mut(TASK_VALUES)).try_for_each(work)
    })
}
