// SPDX-License-Identifier: Apache-2.0
//! The embedding table: gather, and scatter-add of its gradient.

use crate::error::{area, shape, Error, Result};
use crate::{elementwise, Isa};

fn rows(table: &[f32], width: usize) -> Result<usize> {
    shape(width > 0 && table.len().is_multiple_of(width))?;
    Ok(table.len() / width)
}

/// `out[i] = table[tokens[i]]`: table [vocabulary, width], out [tokens, width].
pub fn gather(table: &[f32], width: usize, tokens: &[u32], out: &mut [f32]) -> Result<()> {
    let vocabulary = rows(table, width)?;
    shape(out.len() == area(tokens.len(), width)?)?;
    for (&token, row) in tokens.iter().zip(out.chunks_exact_mut(width)) {
        let token = token as usize;
        if token >= vocabulary {
            return Err(Error::IndexOutOfRange);
        }
        row.copy_from_slice(&table[token * width..][..width]);
    }
    Ok(())
}

/// `table[tokens[i]] += rows[i]`, i ascending: the gradient of [`gather`].
pub fn scatter_add(isa: Isa, table: &mut [f32], width: usize, tokens: &[u32], gradient: &[f32]) -> Result<()> {
    let vocabulary = rows(table, width)?;
    shape(gradient.len() == area(tokens.len(), width)?)?;
    for (&token, row) in tokens.iter().zip(gradient.chunks_exact(width)) {
        let token = token as usize;
        if token >= vocabulary {
            return Err(Error::IndexOutOfRange);
        }
        elementwise::add_assign(isa, &mut table[token * width..][..width], row)?;
    }
    Ok(())
}
