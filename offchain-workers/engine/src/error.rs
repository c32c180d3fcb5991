// SPDX-License-Identifier: Apache-2.0
//! Why a job has no result, in words; the chain only sees the [`JobFailure`] that each maps to.

use crate::{access::Missing, files::FileError};
use agorai_primitives::{job::JobFailure, model::ArchitectureError, training::RecipeError};
use std::io;

/// The result of a part of the engine.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A blob cannot be had.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Weights that are not those of the architecture.
    #[error("weights: {0}")]
    Weights(String),
    /// A model's file that is refused.
    #[error("model: {0}")]
    File(#[from] FileError),
    /// An impossible architecture.
    #[error("architecture: {0:?}")]
    Architecture(ArchitectureError),
    /// An impossible recipe.
    #[error("recipe: {0:?}")]
    Recipe(RecipeError),
    /// A tokenizer that is not one, or text that it cannot encode.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A spec that makes no sense.
    #[error("job: {0}")]
    Spec(&'static str),
    /// A compressed pseudo-gradient that is not one.
    #[error("payload: {0}")]
    Payload(&'static str),
    /// The job would need more memory than the configuration allows.
    #[error("needs {needed} bytes of memory, {limit} are allowed")]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An exact operation refused its operands (a NaN, an index outside its table).
    #[error("computation: {0}")]
    Exact(agorai_exact::Error),
    /// Somebody asked the job to stop.
    #[error("cancelled")]
    Cancelled,
    /// A result could not be stored.
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
