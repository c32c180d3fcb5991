// SPDX-License-Identifier: Apache-2.0
//! The embedding table: gather, and the scatter-add of its gradient.

use crate::error::{Operation, Result};
use crate::{elementwise, Isa};

/// Writes `out[i] = table[tokens[i]]`: `table` [vocabulary, width], `out` [tokens, width].
pub fn gather(table: &[f32], width: usize, tokens: &[u32], out: &mut [f32]) -> Result<()> {
    let operation = Operation("gather");
    let vocabulary = check(operation, table, width, tokens, out.len())?;
    for (&token, row) in tokens.iter().zip(out.chunks_exact_mut(width)) {
        let token = token as usize;
        operation.index(token, vocabulary)?;
        row.copy_from_slice(&table[token * width..][..width]);
    }
    Ok(())
}

/// Adds `table[tokens[i]] += gradient[i]`, i ascending: the gradient of [`gather`]. `table` [vocabulary, width],
/// `gradient` [tokens, width].
pub fn scatter_add(isa: Isa, table: &mut [f32], width: usize, tokens: &[u32], gradient: &[f32]) -> Result<()> {
    let operation = Operation("scatter_add");
    let vocabulary = check(operation, table, width, tokens, gradient.len())?;
    for (&token, row) in tokens.iter().zip(gradient.chunks_exact(width)) {
        let token = token as usize;
        operation.index(token, vocabulary)?;
        elementwise::add_assign(isa, &mut table[token * width..][..width], row)?;
    }
    Ok(())
}

/// Checks the shapes of a table and of `elements` elements of rows; returns the number of the table's rows.
fn check(operation: Operation, table: &[f32], width: usize, tokens: &[u32], elements: usize) -> Result<usize> {
    operation.rows_of("elements of the table", width, table.len())?;
    let expected = operation.area("elements of the rows", tokens.len(), width)?;
    operation.exactly("elements of the rows", expected, elements)?;
    Ok(table.len() / width)
}
