// SPDX-License-Identifier: Apache-2.0
//! Cross entropy over a vocabulary, forward and backward.
//!
//! Canonical order of one row x with target t: `m = max(x)`, `s = sum16(exp(x - m))`,
//! `loss = ln(s) - (x[t] - m)`; gradient `(p[i] - [i = t]) * scale` with `p[i] = exp(x[i] - m) / s`.
//! The mean is the canonical sum of the losses in row order, with +0.0 for rows without a target, divided by the
//! number of rows with a target.

use crate::error::{no_nan, Operation, Result};
use crate::math::{exp_of, ln_of};
use crate::reduce::{max_of, sum16};
use crate::simd::{fold, Lanes};
use crate::softmax::softmax_row;
use crate::Isa;

/// The target of a row without one: its loss is +0.0, its gradient zero.
pub const IGNORE_INDEX: u32 = u32::MAX;

fn check(logits: &[f32], width: usize, targets: &[u32], losses: &[f32]) -> Result<()> {
    let operation = Operation("cross_entropy");
    operation.at_least("width", 1, width)?;
    let elements = operation.area("elements of logits", targets.len(), width)?;
    operation.exactly("elements of logits", elements, logits.len())?;
    operation.exactly("elements of losses", targets.len(), losses.len())?;
    let outside = |&t: &u32| t != IGNORE_INDEX && t as usize >= width;
    match targets.iter().copied().find(outside) {
        Some(target) => operation.index(target as usize, width),
        None => Ok(()),
    }
}

/// Writes the loss in nats of each row of `logits` [rows, width] with `targets` `[rows]` to `losses` `[rows]`.
pub fn cross_entropy(isa: Isa, logits: &[f32], width: usize, targets: &[u32], losses: &mut [f32]) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(logits: &[f32], width: usize, targets: &[u32], losses: &mut [f32]) -> u16 {
        let mut bad = 0;
        let rows = logits.chunks_exact(width).zip(targets);
        for ((x, &target), loss) in rows.zip(losses) {
            *loss = 0.0;
            let Some(&at_target) = x.get(target as usize) else {
                continue;
            };
            let (largest, nan) = max_of::<V>(x);
            let m = V::splat(largest);
            // exp(x - m) summed as sum16 does: the padding is +0.0, not exp(0 - m).
            let mut partials = V::splat(0.0);
            let full = width - width % crate::simd::LANES;
            fold_lanes!(V, full, [v: x], { partials = partials.add(exp_of(v.sub(m))); });
            if full < width {
                let mut tail = [0.0; crate::simd::LANES];
                exp_of(V::load_tail(&x[full..]).sub(m)).store_tail(&mut tail[..width - full]);
                partials = partials.add(V::load(&tail));
            }
            let sum = fold(partials.to_array(), |a, b| a + b);
            *loss = ln_of(sum) - (at_target - largest);
            bad |= u16::from(nan | loss.is_nan());
        }
        bad
    }
    check(logits, width, targets, losses)?;
    no_nan(dispatch!(
        isa,
        body(logits: &[f32], width: usize, targets: &[u32], losses: &mut [f32]) -> u16
    ))
}

/// Computes the loss and its gradient: replaces `logits` [rows, width] by the gradient times `scale` (for the mean
/// loss, 1 / number of rows with a target), and writes the same bits to `losses` `[rows]` as [`cross_entropy`].
pub fn cross_entropy_backward(
    isa: Isa,
    logits: &mut [f32],
    width: usize,
    targets: &[u32],
    scale: f32,
    losses: &mut [f32],
) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes>(logits: &mut [f32], width: usize, targets: &[u32], scale: f32, losses: &mut [f32]) -> u16 {
        let mut bad = 0;
        let factor = V::splat(scale);
        let rows = logits.chunks_exact_mut(width).zip(targets);
        for ((x, &target), loss) in rows.zip(losses) {
            *loss = 0.0;
            let target = target as usize;
            let Some(&at_target) = x.get(target) else {
                x.fill(0.0);
                continue;
            };
            let (nan, largest, sum) = softmax_row::<V>(x);
            *loss = ln_of(sum) - (at_target - largest);
            let hit = (x[target] - 1.0) * scale;
            bad |= nan | u16::from(loss.is_nan() | hit.is_nan());
            bad |= elementwise!(V, width, [p: x], [d: x], { let d = p.mul(factor); });
            x[target] = hit;
        }
        bad
    }
    check(logits, width, targets, losses)?;
    no_nan(dispatch!(
        isa,
        body(logits: &mut [f32], width: usize, targets: &[u32], scale: f32, losses: &mut [f32]) -> u16
    ))
}

/// Returns the mean loss over the rows with a target; [`Error::Shape`](crate::Error::Shape) if there are none.
pub fn mean_loss(isa: Isa, losses: &[f32], targets: &[u32]) -> Result<f32> {
    let operation = Operation("mean_loss");
    operation.exactly("elements of losses", targets.len(), losses.len())?;
    let counted = targets.iter().filter(|&&t| t != IGNORE_INDEX).count();
    operation.at_least("rows with a target", 1, counted)?;
    Ok(sum16(isa, losses)? / counted as f32)
}
