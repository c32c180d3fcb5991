// SPDX-License-Identifier: GPL-3.0-only
//! Errors of the connection to a node, and of data that this program cannot decode.

use crate::error::Error;

/// Returns the error of a runtime whose types differ from those that this program expects.
pub fn unknown_runtime(message: impl Into<String>) -> Error {
    Error::failed("UnknownRuntime", message).hint("use an agorai and an agorai-node of the same release")
}

/// Returns the error of a failed request; `action` completes the sentence "cannot ...".
pub fn no_answer(action: &str, error: impl Into<subxt::Error>) -> Error {
    let error: subxt::Error = error.into();
    Error::unreachable("NoAnswer", format!("cannot {action}: {error}"))
        .hint("check that the node runs and is synchronised, then try again")
}
