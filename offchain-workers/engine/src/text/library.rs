// SPDX-License-Identifier: Apache-2.0
//! Calls to the crate `tokenizers`.
//!
//! It panics on some untrusted files (fuzzing found such a decoder), so its panics are converted to errors here. The
//! values it was working on are dropped.

use crate::error::{Error, Result};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs `work` and converts errors and panics of the crate to [`Error::Tokenizer`].
pub(super) fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Tokenizer(error.to_string())),
        Err(_) => Err(Error::Tokenizer("the tokenizers crate panicked".into())),
    }
}
