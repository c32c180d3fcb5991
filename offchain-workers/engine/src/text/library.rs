// SPDX-License-Identifier: Apache-2.0
//! The border to the library `tokenizers`.
//!
//! It panics on some files from outside (fuzzing found one in its reading of decoders), so its panics
//! become refusals here. What it was working on is dropped.

use crate::error::{Error, Result};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The library's result, or a refusal where it fails or panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Tokenizer(error.to_string())),
        Err(_) => Err(Error::Tokenizer("the library cannot use it".into())),
    }
}
