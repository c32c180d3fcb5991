// SPDX-License-Identifier: Apache-2.0
//! Errors of the store.

use agorai_primitives::BlobId;
use std::{io, path::PathBuf};

/// Why an operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The blob is larger than the store's limit.
    #[error("a blob of {bytes} bytes exceeds this store's limit of {limit} bytes")]
    BlobTooLarge {
        /// Size of the blob in bytes.
        bytes: u64,
        /// Maximum size in bytes.
        limit: u64,
    },
    /// The store is full.
    #[error("the store is full: {needed} bytes do not fit beside the {used} used of {quota}")]
    Full {
        /// Bytes to be added.
        needed: u64,
        /// Bytes in the store.
        used: u64,
        /// Maximum number of bytes in the store.
        quota: u64,
    },
    /// Another process is fetching the same blob into the same folder.
    #[error("blob {0} is being fetched by another process")]
    InUse(BlobId),
    /// The chunks were verified, but the file does not hash to the blob's id: it was damaged on disk.
    #[error("blob {0} was damaged on disk while it was fetched")]
    Damaged(BlobId),
    /// A file operation failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { ref source, .. } => io::Error::new(source.kind(), error),
            other => io::Error::other(other),
        }
    }
}

/// Adds the operation and the path to an I/O error.
pub trait IoContext<T> {
    /// Converts the error. `operation` is a verb, such as "open".
    fn context(self, operation: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            operation,
            path: path(),
            source,
        })
    }
}
