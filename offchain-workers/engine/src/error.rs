// SPDX-License-Identifier: Apache-2.0
//! Why a job fails, for the operator's log; the chain only sees the [`JobFailure`] that each error maps to.

use crate::{access::Missing, files::FileError};
use agorai_primitives::{job::JobFailure, model::ArchitectureError, training::RecipeError};
use std::io;

/// The result of an operation of the engine.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a job fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A blob is unavailable.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Weights do not match the architecture.
    #[error("weights: {0}")]
    Weights(String),
    /// A model file is refused.
    #[error("model: {0}")]
    File(#[from] FileError),
    /// The architecture is invalid.
    #[error("architecture: {0:?}")]
    Architecture(ArchitectureError),
    /// The recipe is invalid.
    #[error("recipe: {0:?}")]
    Recipe(RecipeError),
    /// A tokenizer or chat template is malformed or unsupported, or it cannot encode a text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The spec is invalid.
    #[error("job: {0}")]
    Spec(&'static str),
    /// A compressed pseudo-gradient is malformed.
    #[error("payload: {0}")]
    Payload(&'static str),
    /// The job needs more memory than the configuration allows.
    #[error("needs {needed} bytes of memory, {limit} are allowed")]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A kernel refused its operands (a NaN, an index outside its table).
    #[error("computation: {0}")]
    Exact(agorai_exact::Error),
    /// The job was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Storing a result failed.
    #[error("store: {0}")]
    Store(#[from] io::Error),
}

impl From<agorai_exact::Error> for Error {
    fn from(error: agorai_exact::Error) -> Self {
        Error::Exact(error)
    }
}

impl From<ArchitectureError> for Error {
    fn from(error: ArchitectureError) -> Self {
        Error::Architecture(error)
    }
}

impl From<RecipeError> for Error {
    fn from(error: RecipeError) -> Self {
        Error::Recipe(error)
    }
}

impl From<&Error> for JobFailure {
    fn from(error: &Error) -> Self {
        match error {
            Error::Missing(_) => JobFailure::BlobUnavailable,
            Error::Cancelled | Error::Store(_) => JobFailure::Interrupted,
            Error::Weights(_)
            | Error::File(_)
            | Error::Architecture(_)
            | Error::Recipe(_)
            | Error::Tokenizer(_)
            | Error::Spec(_)
            | Error::Payload(_)
            | Error::Memory { .. }
            | Error::Exact(_) => JobFailure::Invalid,
        }
    }
}
