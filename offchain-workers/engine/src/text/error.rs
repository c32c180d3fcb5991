// SPDX-License-Identifier: Apache-2.0
//! Errors of tokenizers and templates.

use crate::error::{Error, Result};

/// Returns [`Error::Tokenizer`].
pub fn refuse<T>(reason: impl ToString) -> Result<T> {
    Err(Error::Tokenizer(reason.to_string()))
}
