// SPDX-License-Identifier: Apache-2.0
//! Causal attention of one head, forward and backward.
//!
//! Query i has position offset + i and attends to the keys up to offset + i: to all of them, or to the latest
//! `window`. These are its visible keys; the others have no influence on it. Canonical order:
//! * scores `x[i][j] = FMA chain over the width of q[i] and k[j], from +0.0, times scale`;
//! * `p[i] = softmax(x[i])` over the visible keys ([`crate::softmax`]); the others are +0.0;
//! * `out[i][c] = FMA chain over the visible j, ascending, of p[i][j] and v[j][c], from +0.0`.
//!
//! So a query's output depends on its position, not on the number of queries of a call: decoding token by token
//! gives the same bits as prefilling the whole sequence. Backward:
//! * `dp[i][j] = FMA chain over the width of dout[i] and v[j], from +0.0`;
//! * `ds[i] = (softmax backward of dp[i] over the visible keys) * scale`;
//! * `dq[i][c] = FMA chain over the visible j, ascending, of ds[i][j] and k[j][c], from +0.0`;
//! * `dk[j][c]` and `dv[j][c]` accumulate FMA chains, over the queries to which j is visible, ascending, of
//!   `ds[i][j]` and `q[i][c]`, and of `p[i][j]` and `dout[i][c]`.

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::{no_nan, Error, Operation, Result};
use crate::matmul::{Accumulate, Left, PackedMatrix, Product, Products, Right, PANEL};
use crate::reduce::nan_of;
use crate::simd::{Lanes, LANES};
use crate::softmax::{softmax_backward_row, softmax_row};
use crate::Isa;

/// The number of queries or keys of a product.
const BLOCK: usize = 12;

/// The shape of one head's attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// The number of queries.
    pub queries: usize,
    /// The position of the first query: the number of keys before its own.
    pub offset: usize,
    /// The number of elements of a query, a key and a value.
    pub width: usize,
    /// The factor of the scores, usually 1 / sqrt(width).
    pub scale: f32,
    /// The number of latest keys, its own included, that a query attends to; `None` for all.
    pub window: Option<usize>,
}

/// Buffers of attention, reused from call to call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    left: PackedMatrix,
    right: PackedMatrix,
    scores: Vec<f32>,
}

/// The operands of the forward pass.
#[derive(Clone, Copy)]
struct Forward<'a> {
    q: &'a [f32],
    keys: Right<'a>,
    values: Right<'a>,
}

/// The operands of the backward pass.
#[derive(Clone, Copy)]
struct Backward<'a> {
    p: &'a [f32],
    dout: &'a [f32],
    /// The values, transposed.
    values: Right<'a>,
}

/// Returns rows as the right operand of a product, packed only if the width needs padding.
fn rows_or_packed<'a>(data: &'a [f32], rows: usize, width: usize, packed: &'a mut PackedMatrix) -> Result<Right<'a>> {
    if width.is_multiple_of(LANES) {
        return Ok(Right::rows(data, width));
    }
    packed.pack_in_out(rows, width, data)?;
    Ok(packed.right(0))
}

impl Attention {
    /// Returns the number of keys up to the last query's own.
    pub fn keys(&self) -> usize {
        self.offset.saturating_add(self.queries)
    }

    /// Returns the end of the visible keys of query i.
    #[inline(always)]
    fn visible_end(&self, i: usize) -> usize {
        self.offset + i + 1
    }

    /// Returns the first visible key of query i.
    #[inline(always)]
    fn first_visible(&self, i: usize) -> usize {
        self.window
            .map_or(0, |window| self.visible_end(i).saturating_sub(window))
    }

    /// Returns the queries to which key j is visible.
    #[inline(always)]
    fn queries_of(&self, j: usize) -> Range<usize> {
        let first = j.saturating_sub(self.offset);
        let last = match self.window {
            None => self.queries,
            Some(window) => j.saturating_add(window).saturating_sub(self.offset).min(self.queries),
        };
        first..last.max(first)
    }

    fn check(&self, operation: Operation) -> Result<()> {
        if !self.scale.is_finite() || self.window == Some(0) {
            return Err(Error::Parameter);
        }
        // Together these also ensure that no index into [queries, keys] overflows.
        operation.at_least("width", 1, self.width)?;
        operation.sum("keys", self.offset, self.queries)?;
        operation.area("elements of p", self.queries, self.keys())?;
        Ok(())
    }

    /// Computes the attention of `q` [queries, width] over `keys` (one output feature per key, `width` input features)
    /// and `values` [keys, width]; both may hold keys after the last query's own. Writes `out` [queries, width], and
    /// the probabilities to `p` [queries, keys] for the backward pass.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        isa: Isa,
        q: &[f32],
        keys: &PackedMatrix,
        values: &[f32],
        p: &mut [f32],
        out: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes + Products>(
            shape: &Attention,
            forward: Forward<'_>,
            p: &mut [f32],
            out: &mut [f32],
        ) -> Result<()> {
            shape.probabilities::<V>(forward, p)?;
            shape.weighted_sum_of::<V>(p, forward.values, out)?;
            no_nan(nan_of::<V>(out))
        }
        let operation = Operation("Attention::forward");
        self.check(operation)?;
        let (n, width) = (self.keys(), self.width);
        let queries = operation.area("elements of q", self.queries, width)?;
        operation.exactly("elements of q", queries, q.len())?;
        operation.exactly("elements of out", queries, out.len())?;
        operation.exactly(
            "elements of p",
            operation.area("elements of p", self.queries, n)?,
            p.len(),
        )?;
        operation.exactly("input features of the keys", width, keys.in_features())?;
        operation.at_least("keys", n, keys.out_features())?;
        let visible = operation.area("elements of the values", n, width)?;
        operation.at_least("elements of the values", visible, values.len())?;
        let values = &values[..visible];
        let forward = Forward {
            q,
            keys: keys.right(0),
            values: rows_or_packed(values, n, width, &mut scratch.right)?,
        };
        let shape = self;
        dispatch!(
            isa,
            body(
                shape: &Attention,
                forward: Forward<'_>,
                p: &mut [f32],
                out: &mut [f32]
            ) -> Result<()>
        )
    }

    /// The gradient of [`Attention::forward`] for the output gradient `dout` [queries, width]: `q` [queries, width],
    /// `k` and `values` [keys, width], `p` [queries, keys] as the forward pass wrote it. Writes `dq` [queries, width];
    /// accumulates in `dk` and `dv` [keys, width], so that query heads that share keys add up in the order of their
    /// calls.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        isa: Isa,
        q: &[f32],
        k: &[f32],
        values: &[f32],
        p: &[f32],
        dout: &[f32],
        dq: &mut [f32],
        dk: &mut [f32],
        dv: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let operation = Operation("Attention::backward");
        self.check(operation)?;
        let (m, n, width) = (self.queries, self.keys(), self.width);
        let queries = operation.area("elements of q", m, width)?;
        operation.exactly("elements of q", queries, q.len())?;
        operation.exactly("elements of dout", queries, dout.len())?;
        operation.exactly("elements of dq", queries, dq.len())?;
        operation.exactly("elements of p", operation.area("elements of p", m, n)?, p.len())?;
        if m == 0 {
            return Ok(());
        }
        let keys = operation.area("elements of k", n, width)?;
        operation.exactly("elements of k", keys, k.len())?;
        operation.exactly("elements of the values", keys, values.len())?;
        operation.exactly("elements of dk", keys, dk.len())?;
        operation.exactly("elements of dv", keys, dv.len())?;
        let Scratch { left, right, scores } = scratch;
        scores.resize(p.len(), 0.0);
        left.pack_out_in(n, width, values)?;
        let backward = Backward {
            p,
            dout,
            values: left.right(0),
        };
        self.score_gradients(isa, backward, scores)?;
        self.weighted_sum(isa, scores, rows_or_packed(k, n, width, right)?, dq)?;
        self.weighted_sum_transposed(isa, scores, rows_or_packed(q, m, width, right)?, dk)?;
        self.weighted_sum_transposed(isa, p, rows_or_packed(dout, m, width, right)?, dv)
    }

    /// Writes the gradients of the scores, ds, for all queries.
    fn score_gradients(&self, isa: Isa, b: Backward<'_>, ds: &mut [f32]) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes + Products>(shape: &Attention, b: Backward<'_>, ds: &mut [f32]) -> Result<()> {
            let n = shape.keys();
            let scale = V::splat(shape.scale);
            let mut nan = 0;
            for first in (0..shape.queries).step_by(BLOCK) {
                let last = shape.queries.min(first + BLOCK);
                shape.block_scores::<V>(b.dout, b.values, first, last, ds)?;
                for i in first..last {
                    let visible = i * n + shape.first_visible(i)..i * n + shape.visible_end(i);
                    let d = &mut ds[visible.clone()];
                    nan |= softmax_backward_row::<V>(&b.p[visible], d);
                    nan |= elementwise!(V, d.len(), [x: d], [y: d], { let y = x.mul(scale); });
                }
            }
            no_nan(nan)
        }
        let shape = self;
        dispatch!(
            isa,
            body(shape: &Attention, b: Backward<'_>, ds: &mut [f32]) -> Result<()>
        )
    }

    /// Dispatches [`Attention::weighted_sum_of`] to an instruction set.
    fn weighted_sum(&self, isa: Isa, weights: &[f32], right: Right<'_>, out: &mut [f32]) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes + Products>(
            shape: &Attention,
            weights: &[f32],
            right: Right<'_>,
            out: &mut [f32],
        ) -> Result<()> {
            shape.weighted_sum_of::<V>(weights, right, out)?;
            no_nan(nan_of::<V>(out))
        }
        let shape = self;
        dispatch!(
            isa,
            body(
                shape: &Attention,
                weights: &[f32],
                right: Right<'_>,
                out: &mut [f32]
            ) -> Result<()>
        )
    }

    /// Dispatches [`Attention::weighted_sum_transposed_of`] to an instruction set.
    fn weighted_sum_transposed(&self, isa: Isa, weights: &[f32], right: Right<'_>, out: &mut [f32]) -> Result<()> {
        #[inline(always)]
        fn body<V: Lanes + Products>(
            shape: &Attention,
            weights: &[f32],
            right: Right<'_>,
            out: &mut [f32],
        ) -> Result<()> {
            shape.weighted_sum_transposed_of::<V>(weights, right, out)?;
            no_nan(nan_of::<V>(out))
        }
        let shape = self;
        dispatch!(
            isa,
            body(
                shape: &Attention,
                weights: &[f32],
                right: Right<'_>,
                out: &mut [f32]
            ) -> Result<()>
        )
    }

    /// Writes the products of rows first..last of `left` [queries, width] with the keys visible to any of them (and
    /// some earlier ones) to `out` [queries, keys].
    #[inline(always)]
    fn block_scores<V: Lanes + Products>(
        &self,
        left: &[f32],
        right: Right<'_>,
        first: usize,
        last: usize,
        out: &mut [f32],
    ) -> Result<()> {
        let n = self.keys();
        // Only whole panels can be skipped.
        let skipped = self.first_visible(first) / PANEL * PANEL;
        let product = Product {
            m: last - first,
            n: self.visible_end(last - 1) - skipped,
            k: self.width,
            left: Left::rows(&left[first * self.width..], self.width),
            right: right.skip_columns(skipped),
            accumulate: Accumulate::Overwrite,
        };
        product.run::<V>(&mut out[first * n + skipped..], n)
    }

    /// Writes the probabilities of all queries to `p` [queries, keys].
    #[inline(always)]
    fn probabilities<V: Lanes + Products>(&self, f: Forward<'_>, p: &mut [f32]) -> Result<()> {
        let n = self.keys();
        let scale = V::splat(self.scale);
        let mut nan = 0;
        for first in (0..self.queries).step_by(BLOCK) {
            let last = self.queries.min(first + BLOCK);
            self.block_scores::<V>(f.q, f.keys, first, last, p)?;
            for i in first..last {
                let (before, future) = p[i * n..][..n].split_at_mut(self.visible_end(i));
                let (past, visible) = before.split_at_mut(self.first_visible(i));
                past.fill(0.0);
                nan |= elementwise!(V, visible.len(), [x: visible], [y: visible], { let y = x.mul(scale); });
                nan |= softmax_row::<V>(visible).0;
                future.fill(0.0);
            }
        }
        no_nan(nan)
    }

    /// Writes `out[i] = FMA chain over the visible j of weights[i][j] right[j]`. For each query: first the keys before
    /// those visible to the whole block of queries, then the latter in one product, then the keys after them.
    #[inline(always)]
    fn weighted_sum_of<V: Lanes + Products>(&self, weights: &[f32], right: Right<'_>, out: &mut [f32]) -> Result<()> {
        let (n, width) = (self.keys(), self.width);
        for first in (0..self.queries).step_by(BLOCK) {
            let last = self.queries.min(first + BLOCK);
            let common = or_empty(self.first_visible(last - 1)..self.visible_end(first));
            let product = |keys: Range<usize>, rows: Range<usize>, accumulate| Product {
                m: rows.len(),
                n: width,
                k: keys.len(),
                left: Left::rows(&weights[rows.start * n + keys.start..], n),
                right: right.skip_rows(keys.start),
                accumulate,
            };
            let shared = product(common.clone(), first..last, Accumulate::Add);
            for i in first..last {
                let before = self.first_visible(i)..common.start.min(self.visible_end(i));
                let before = product(before, i..i + 1, Accumulate::Overwrite);
                before.run::<V>(&mut out[i * width..], width)?;
            }
            shared.run::<V>(&mut out[first * width..], width)?;
            for i in first..last {
                let after = common.end.max(self.first_visible(i))..self.visible_end(i);
                let after = product(after, i..i + 1, Accumulate::Add);
                after.run::<V>(&mut out[i * width..], width)?;
            }
        }
        Ok(())
    }

    /// Accumulates `out[j] += FMA chain over the queries i to which j is visible of weights[i][j] right[i]`: as in
    /// [`Attention::weighted_sum_of`], the queries to which a whole block of keys is visible are one product.
    #[inline(always)]
    fn weighted_sum_transposed_of<V: Lanes + Products>(
        &self,
        weights: &[f32],
        right: Right<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        let (n, width) = (self.keys(), self.width);
        for first in (0..n).step_by(BLOCK) {
            let last = n.min(first + BLOCK);
            let common = or_empty(self.queries_of(last - 1).start..self.queries_of(first).end);
            let product = |queries: Range<usize>, keys: Range<usize>| Product {
                m: keys.len(),
                n: width,
                k: queries.len(),
                left: Left::columns(weights.get(queries.start * n + keys.start..).unwrap_or(&[]), n),
                right: right.skip_rows(queries.start),
                accumulate: Accumulate::Add,
            };
            for j in first..last {
                let queries = self.queries_of(j);
                let before = queries.start..common.start.min(queries.end);
                product(before, j..j + 1).run::<V>(&mut out[j * width..], width)?;
            }
            product(common.clone(), first..last).run::<V>(&mut out[first * width..], width)?;
            for j in first..last {
                let queries = self.queries_of(j);
                let after = common.end.max(queries.start)..queries.end;
                product(after, j..j + 1).run::<V>(&mut out[j * width..], width)?;
            }
        }
        Ok(())
    }
}

/// Returns the range, or the empty range at its start if it ends before it.
#[inline(always)]
fn or_empty(range: Range<usize>) -> Range<usize> {
    range.start..range.end.max(range.start)
}
