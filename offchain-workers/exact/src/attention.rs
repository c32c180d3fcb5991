// SPDX-License-Identifier: Apache-2.0
//! Causal attention of one head, forward and backward.
//!
//! Query i sits at position offset + i and sees the keys up to offset + i: all of them, or the latest
//! `window`. Nothing is computed from the others. Canonical order:
//! * scores `x[i][j] = chain over the width of q[i] and k[j], from +0.0, times scale`;
//! * `p[i] = softmax(x[i])` over the visible keys ([`crate::softmax`]); the others are +0.0;
//! * `out[i][c] = chain over the visible j, ascending, of p[i][j] and v[j][c], from +0.0`.
//!
//! So a query's output depends on its position and not on how many queries are computed together:
//! decoding one by one gives the bits of prefilling all at once. Backward:
//! * `dp[i][j] = chain over the width of dout[i] and v[j], from +0.0`;
//! * `ds[i] = (softmax backward of dp[i] over the visible keys) * scale`;
//! * `dq[i][c] = chain over the visible j, ascending, of ds[i][j] and k[j][c], from +0.0`;
//! * `dk[j][c]` and `dv[j][c]` continue chains over the queries that see j, ascending, of
//!   `ds[i][j]` and `q[i][c]`, and of `p[i][j]` and `dout[i][c]`.

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::{area, no_nan, shape, Error, Result};
use crate::matmul::{Accumulate, Left, PackedMatrix, Product, Products, Right, PANEL};
use crate::reduce::nan_of;
use crate::simd::{Lanes, LANES};
use crate::softmax::{softmax_backward_row, softmax_row};
use crate::Isa;

/// Queries or keys handled together.
const BLOCK: usize = 12;

/// The shape of one head's attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// The number of queries.
    pub queries: usize,
    /// The position of the first query: the number of keys before its own.
    pub offset: usize,
    /// The elements of a query, key and value.
    pub width: usize,
    /// Multiplies the scores, usually 1 / sqrt(width).
    pub scale: f32,
    /// How many keys a query sees, its own counted and the latest ones; `None` = all before it.
    pub window: Option<usize>,
}

/// Memory that attention needs, reusable from call to call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    left: PackedMatrix,
    right: PackedMatrix,
    scores: Vec<f32>,
}

/// What the forward pass reads.
#[derive(Clone, Copy)]
struct Forward<'a> {
    q: &'a [f32],
    keys: Right<'a>,
    values: Right<'a>,
}

/// What the backward pass reads.
#[derive(Clone, Copy)]
struct Backward<'a> {
    p: &'a [f32],
    dout: &'a [f32],
    /// The values, transposed.
    values: Right<'a>,
}

/// Rows as the right operand of a product: as they are, or packed where the width needs padding.
fn rows_or_packed<'a>(data: &'a [f32], rows: usize, width: usize, packed: &'a mut PackedMatrix) -> Result<Right<'a>> {
    if width.is_multiple_of(LANES) {
        return Ok(Right::rows(data, width));
    }
    packed.pack_in_out(rows, width, data)?;
    Ok(packed.right(0))
}

impl Attention {
    /// The number of keys that the last query sees.
    pub fn keys(&self) -> usize {
        self.offset.saturating_add(self.queries)
    }

    /// The end of the keys that query i sees.
    #[inline(always)]
    fn visible(&self, i: usize) -> usize {
        self.offset + i + 1
    }

    /// The first key that query i sees.
    #[inline(always)]
    fn oldest(&self, i: usize) -> usize {
        self.window.map_or(0, |window| self.visible(i).saturating_sub(window))
    }

    /// The queries that see key j.
    #[inline(always)]
    fn seeing(&self, j: usize) -> Range<usize> {
        let first = j.saturating_sub(self.offset);
        let last = match self.window {
            None => self.queries,
            Some(window) => j.saturating_add(window).saturating_sub(self.offset).min(self.queries),
        };
        first..last.max(first)
    }

    fn check(&self) -> Result<()> {
        if !self.scale.is_finite() || self.window == Some(0) {
            return Err(Error::Parameter);
        }
        // Together these also say that no index into [queries, keys] overflows.
        shape(self.width > 0 && self.offset.checked_add(self.queries).is_some())?;
        area(self.queries, self.keys())?;
        Ok(())
    }

    /// Attention of `q` [queries, width] over `keys` (columns of `width`, packed out by in) and
    /// `values` [keys, width]; both may hold more keys than the last query sees. Leaves the
    /// probabilities in `p` [queries, keys] for the backward pass; writes `out` [queries, width].
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
        self.check()?;
        let (n, width) = (self.keys(), self.width);
        shape(q.len() == area(self.queries, width)? && out.len() == q.len())?;
        shape(p.len() == area(self.queries, n)? && keys.in_features() == width && keys.out_features() >= n)?;
        let values = values.get(..area(n, width)?).ok_or(Error::Shape)?;
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

    /// The gradient of [`Attention::forward`]: `q` [queries, width], `k` and `values` [keys, width],
    /// `p` as it left them, `dout` [queries, width]. Writes `dq`; continues the chains in `dk` and
    /// `dv`, so that heads that share keys accumulate in the order in which they are called.
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
        self.check()?;
        if self.queries == 0 {
            return shape(q.is_empty() && p.is_empty() && dout.is_empty() && dq.is_empty());
        }
        let (m, n, width) = (self.queries, self.keys(), self.width);
        let queries = area(m, width)?;
        let keys = area(n, width)?;
        shape(q.len() == queries && dout.len() == queries && dq.len() == queries)?;
        shape(k.len() == keys && values.len() == keys && dk.len() == keys && dv.len() == keys)?;
        shape(p.len() == area(m, n)?)?;
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
                    let seen = i * n + shape.oldest(i)..i * n + shape.visible(i);
                    let d = &mut ds[seen.clone()];
                    nan |= softmax_backward_row::<V>(&b.p[seen], d);
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

    /// [`Attention::weighted_sum_of`] on an instruction set.
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

    /// [`Attention::weighted_sum_transposed_of`] on an instruction set.
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

    /// The chains of rows first..last of `left` [queries, width] with the keys that any of them sees (and
    /// some before them), into `out` [queries, keys].
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
        // Whole panels.
        let skipped = self.oldest(first) / PANEL * PANEL;
        let product = Product {
            m: last - first,
            n: self.visible(last - 1) - skipped,
            k: self.width,
            left: Left::rows(&left[first * self.width..], self.width),
            right: right.skip_columns(skipped),
            accumulate: Accumulate::Overwrite,
        };
        product.run::<V>(&mut out[first * n + skipped..], n)
    }

    #[inline(always)]
    fn probabilities<V: Lanes + Products>(&self, f: Forward<'_>, p: &mut [f32]) -> Result<()> {
        let n = self.keys();
        let scale = V::splat(self.scale);
        let mut nan = 0;
        for first in (0..self.queries).step_by(BLOCK) {
            let last = self.queries.min(first + BLOCK);
            self.block_scores::<V>(f.q, f.keys, first, last, p)?;
            for i in first..last {
                let (before, unseen) = p[i * n..][..n].split_at_mut(self.visible(i));
                let (unseen_before, seen) = before.split_at_mut(self.oldest(i));
                unseen_before.fill(0.0);
                nan |= elementwise!(V, seen.len(), [x: seen], [y: seen], { let y = x.mul(scale); });
                nan |= softmax_row::<V>(seen).0;
                unseen.fill(0.0);
            }
        }
        no_nan(nan)
    }

    /// `out[i] = chain over the visible j of weights[i][j] right[j]`: for each query the keys before
    /// those that a whole block of queries sees, then these in one product, then those after them.
    #[inline(always)]
    fn weighted_sum_of<V: Lanes + Products>(&self, weights: &[f32], right: Right<'_>, out: &mut [f32]) -> Result<()> {
        let (n, width) = (self.keys(), self.width);
        for first in (0..self.queries).step_by(BLOCK) {
            let last = self.queries.min(first + BLOCK);
            let common = middle(self.oldest(last - 1)..self.visible(first));
            let accumulate = |keys: Range<usize>, rows: Range<usize>, accumulate| Product {
                m: rows.len(),
                n: width,
                k: keys.len(),
                left: Left::rows(&weights[rows.start * n + keys.start..], n),
                right: right.skip(keys.start),
                accumulate,
            };
            let together = accumulate(common.clone(), first..last, Accumulate::Add);
            for i in first..last {
                let before = self.oldest(i)..common.start.min(self.visible(i));
                let before = accumulate(before, i..i + 1, Accumulate::Overwrite);
                before.run::<V>(&mut out[i * width..], width)?;
            }
            together.run::<V>(&mut out[first * width..], width)?;
            for i in first..last {
                let after = common.end.max(self.oldest(i))..self.visible(i);
                let after = accumulate(after, i..i + 1, Accumulate::Add);
                after.run::<V>(&mut out[i * width..], width)?;
            }
        }
        Ok(())
    }

    /// `out[j] += chain over the queries i that see j of weights[i][j] right[i]`: as in
    /// [`Attention::weighted_sum_of`], the queries that see a whole block of keys in one product.
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
            let common = middle(self.seeing(last - 1).start..self.seeing(first).end);
            let accumulate = |queries: Range<usize>, keys: Range<usize>| Product {
                m: keys.len(),
                n: width,
                k: queries.len(),
                left: Left::columns(weights.get(queries.start * n + keys.start..).unwrap_or(&[]), n),
                right: right.skip(queries.start),
                accumulate: Accumulate::Add,
            };
            for j in first..last {
                let seeing = self.seeing(j);
                let before = seeing.start..common.start.min(seeing.end);
                accumulate(before, j..j + 1).run::<V>(&mut out[j * width..], width)?;
            }
            accumulate(common.clone(), first..last).run::<V>(&mut out[first * width..], width)?;
            for j in first..last {
                let seeing = self.seeing(j);
                let after = common.end.max(seeing.start)..seeing.end;
                accumulate(after, j..j + 1).run::<V>(&mut out[j * width..], width)?;
            }
        }
        Ok(())
    }
}

/// A range, or the empty one at its start where it ends before it.
#[inline(always)]
fn middle(range: Range<usize>) -> Range<usize> {
    range.start..range.end.max(range.start)
}
