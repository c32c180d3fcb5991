// SPDX-License-Identifier: Apache-2.0
//! What is computed row by row or value by value, some rows or values to a task.

use crate::{files::config::Activation, parallel::Means, Error, Result};
use agorai_exact::{gated, norm as exact, rope::RopeTable, Isa};
use rayon::prelude::*;

/// Rows that one task computes at most.
const ROWS: usize = 64;
/// Values that are worth a task of their own.
const VALUES: usize = 1 << 14;

/// `out = norm(x) * weight`, and 1 / rms of each row in `inv`.
pub fn norm(means: Means, x: &[f32], weight: &[f32], eps: f32, out: &mut Vec<f32>, inv: &mut Vec<f32>) -> Result<()> {
    let width = weight.len().max(1);
    if !x.len().is_multiple_of(width) {
        return Err(agorai_exact::Error::Shape.into());
    }
    out.resize(x.len(), 0.0);
    inv.resize(x.len() / width, 0.0);
    let together = (VALUES / width).clamp(1, ROWS);
    let work =
        |((x, out), inv): ((&[f32], &mut [f32]), &mut [f32])| Ok(exact::rmsnorm(means.isa, x, weight, eps, out, inv)?);
    let step = together * width;
    if means.threads == 1 || x.len() <= step {
        return work(((x, out), inv));
    }
    means.spread(|| {
        let rows = x.par_chunks(step).zip(out.par_chunks_mut(step));
        rows.zip(inv.par_chunks_mut(together)).try_for_each(work)
    })
}

/// Turns every head of rows of `row` values at consecutive positions from `offset` on.
pub fn rotate(
    means: Means,
    turn: fn(&RopeTable, Isa, &[u32], &mut [f32]) -> agorai_exact::Result<()>,
    angles: &RopeTable,
    offset: usize,
    rows: &mut [f32],
    row: usize,
) -> Result<()> {
    if row == 0 || !rows.len().is_multiple_of(row) {
        return Err(agorai_exact::Error::Shape.into());
    }
    let together = (VALUES / row).clamp(1, ROWS);
    let work = |(index, part): (usize, &mut [f32])| {
        let mut positions = [0u32; ROWS];
        let positions = &mut positions[..part.len() / row];
        for (i, position) in positions.iter_mut().enumerate() {
            let at = offset + index * together + i;
            *position = u32::try_from(at).map_err(|_| Error::Spec("a position"))?;
        }
        Ok(turn(angles, means.isa, positions, part)?)
    };
    let step = together * row;
    if means.threads == 1 || rows.len() <= step {
        return rows.chunks_mut(step).enumerate().try_for_each(work);
    }
    means.spread(|| rows.par_chunks_mut(step).enumerate().try_for_each(work))
}

/// `out = activation(gate) * up`.
pub fn gate(means: Means, activation: Activation, gate: &[f32], up: &[f32], out: &mut Vec<f32>) -> Result<()> {
    if gate.len() != up.len() {
        return Err(agorai_exact::Error::Shape.into());
    }
    out.resize(gate.len(), 0.0);
    let work = |((gate, up), out): ((&[f32], &[f32]), &mut [f32])| {
        match activation {
            Activation::Silu => gated::swiglu(means.isa, gate, up, out)?,
            Activation::GeluTanh => gated::geglu(means.isa, gate, up, out)?,
        }
        Ok(())
    };
    if means.threads == 1 || gate.len() <= VALUES {
        return work(((gate, up), out));
    }
    means.spread(|| {
        let inputs = gate.par_chunks(VALUES).zip(up.par_chunks(VALUES));
        inputs.zip(out.par_chunks_mut(VALUES)).try_for_each(work)
    })
}
