// SPDX-License-Identifier: Apache-2.0
//! Matrix products.
//!
//! Canonical order of one output: one accumulator, `acc = fma(a[k], b[k], acc)`, k ascending, from
//! +0.0 ([`Accumulate::Overwrite`]) or from what the output holds ([`Accumulate::Add`]). Every output is
//! such a chain of its own, so the bits depend neither on the number of rows multiplied together nor
//! on how outputs are spread over lanes, tiles or threads.
//!
//! To use several threads, split the *outputs*: give each thread some rows of `a` and of `out`, or
//! (for one row) some panels with [`matmul_panels`], or some columns with [`matmul_transposed_a`].

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx512;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod kernel;
mod packed;
mod panel;
mod product;
mod scalar;

use core::ops::Range;

pub use packed::PackedMatrix;
pub use panel::PANEL;
pub use product::Accumulate;
pub(crate) use product::{Left, Product, Products, Right};

use crate::error::{area, shape, Result};
use crate::simd::Lanes;
use crate::Isa;

/// `out = a b`: `a` [m, k] with m from its length, `b` packed [k, n], `out` [m, n].
pub fn matmul(isa: Isa, a: &[f32], b: &PackedMatrix, out: &mut [f32]) -> Result<()> {
    matmul_accumulate(isa, Accumulate::Overwrite, a, b, out)
}

/// [`matmul`] with a choice of where the chains begin.
pub fn matmul_accumulate(isa: Isa, accumulate: Accumulate, a: &[f32], b: &PackedMatrix, out: &mut [f32]) -> Result<()> {
    matmul_panels(isa, accumulate, a, b, 0..b.panels(), out)
}

/// The columns of [`matmul`] that lie in some panels of `b`, densely: `out` [m, columns] with the
/// columns `32 * panels.start .. min(32 * panels.end, n)`. For one row that is a part of its output.
pub fn matmul_panels(
    isa: Isa,
    accumulate: Accumulate,
    a: &[f32],
    b: &PackedMatrix,
    panels: Range<usize>,
    out: &mut [f32],
) -> Result<()> {
    let k = b.in_features();
    let columns = b.columns(panels.clone())?;
    if columns == 0 {
        return shape(out.is_empty());
    }
    shape(out.len().is_multiple_of(columns))?;
    let m = out.len() / columns;
    shape(a.len() == area(m, k)?)?;
    let product = Product {
        m,
        n: columns,
        k,
        left: Left::rows(a, k),
        right: b.right(panels.start),
        accumulate,
    };
    run(isa, &product, out, columns)
}

/// `out = a^T b` for a range of columns of `a`: the gradient of a weight, `a` [rows, n] the output's
/// gradient, `b` [rows, k] the input packed with [`PackedMatrix::pack_in_out`]`(rows, k, ..)`,
/// `out` [columns, k]. The chain of an output runs over the rows, ascending, so
/// [`Accumulate::Add`] accumulates over batches as if they were one.
pub fn matmul_transposed_a(
    isa: Isa,
    accumulate: Accumulate,
    a: &[f32],
    n: usize,
    columns: Range<usize>,
    b: &PackedMatrix,
    out: &mut [f32],
) -> Result<()> {
    shape(columns.start <= columns.end && columns.end <= n)?;
    shape(a.len() == area(b.in_features(), n)? && out.len() == area(columns.len(), b.out_features())?)?;
    if out.is_empty() {
        return Ok(());
    }
    let product = Product {
        m: columns.len(),
        n: b.out_features(),
        k: b.in_features(),
        left: Left::columns(a.get(columns.start..).unwrap_or(&[]), n),
        right: b.right(0),
        accumulate,
    };
    run(isa, &product, out, b.out_features())
}

/// Dispatches a product and refuses NaN in its output.
fn run(isa: Isa, product: &Product<'_>, out: &mut [f32], stride: usize) -> Result<()> {
    #[inline(always)]
    fn body<V: Lanes + Products>(product: &Product<'_>, out: &mut [f32], stride: usize) -> Result<()> {
        product.run::<V>(out, stride)
    }
    dispatch!(
        isa,
        body(product: &Product<'_>, out: &mut [f32], stride: usize) -> Result<()>
    )?;
    crate::reduce::reject_nan(isa, out)
}
