// SPDX-License-Identifier: Apache-2.0
//! Matrix products.
//!
//! Canonical order of one output element: an FMA chain `acc = fma(a[k], b[k], acc)`, k ascending, from
//! +0.0 ([`Accumulate::Overwrite`]) or from the value in the output ([`Accumulate::Add`]). Every output element has a
//! chain of its own, so the bits depend neither on the number of rows of a call nor on the distribution of outputs
//! over lanes, tiles or threads.
//!
//! To use several threads, split the *outputs*: give each thread a range of rows of `a` and `out`, or
//! (for one row) a range of panels with [`matmul_panels`], or a range of columns with [`matmul_transposed_a`].

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

use crate::error::{Operation, Result};
use crate::simd::Lanes;
use crate::Isa;

/// Computes `out = a b`: `a` [rows, in_features], `b` packed, `out` [rows, out_features].
pub fn matmul(isa: Isa, a: &[f32], b: &PackedMatrix, out: &mut [f32]) -> Result<()> {
    matmul_accumulate(isa, Accumulate::Overwrite, a, b, out)
}

/// Computes [`matmul`], overwriting or adding to `out`.
pub fn matmul_accumulate(isa: Isa, accumulate: Accumulate, a: &[f32], b: &PackedMatrix, out: &mut [f32]) -> Result<()> {
    matmul_panels(isa, accumulate, a, b, 0..b.panels(), out)
}

/// Computes the columns of [`matmul`] in a range of panels of `b`: `out` [rows, columns] holds the columns
/// `32 * panels.start .. min(32 * panels.end, out_features)`. For one row that is a slice of its output.
pub fn matmul_panels(
    isa: Isa,
    accumulate: Accumulate,
    a: &[f32],
    b: &PackedMatrix,
    panels: Range<usize>,
    out: &mut [f32],
) -> Result<()> {
    let operation = Operation("matmul");
    let k = b.in_features();
    let columns = b.columns(panels.clone())?;
    operation.multiple_of("elements of out", columns, out.len())?;
    let Some(m) = out.len().checked_div(columns) else {
        return Ok(());
    };
    operation.exactly("elements of a", operation.area("elements of a", m, k)?, a.len())?;
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

/// Computes `out = a^T b` for a range of columns of `a`: the gradient of a weight matrix, with `a` [rows, n] the
/// gradient of the output, `b` [rows, k] the input packed with [`PackedMatrix::pack_in_out`]`(rows, k, ..)`, and
/// `out` [columns, k]. The chain of an output element runs over the rows, ascending, so
/// [`Accumulate::Add`] accumulates several batches as if they were one.
pub fn matmul_transposed_a(
    isa: Isa,
    accumulate: Accumulate,
    a: &[f32],
    n: usize,
    columns: Range<usize>,
    b: &PackedMatrix,
    out: &mut [f32],
) -> Result<()> {
    let operation = Operation("matmul_transposed_a");
    operation.range_within("columns", n, &columns)?;
    let elements = operation.area("elements of a", b.in_features(), n)?;
    operation.exactly("elements of a", elements, a.len())?;
    let elements = operation.area("elements of out", columns.len(), b.out_features())?;
    operation.exactly("elements of out", elements, out.len())?;
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

/// Dispatches a product to an instruction set and checks its output for NaN.
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
