// SPDX-License-Identifier: GPL-3.0-only
//! Errors of commands: a stable name for programs, a message for people and, where one is known, the next step.

use std::fmt;

/// The class of an error; its value is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command failed, or the expected outcome did not occur.
    Failed = 1,
    /// The input is invalid: arguments, files or prompt. No call was sent.
    Usage = 2,
    /// The chain refused the call.
    Refused = 3,
    /// No connection to the node, or no answer in time.
    Unreachable = 4,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The class, which decides the exit code.
    pub kind: ErrorKind,
    /// A stable name: one of this program, such as `CorpusNotUtf8`, or the path of an error of the chain, such as
    /// `Inference.FeeBelowPrice`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error of class `kind` without a hint.
    pub fn new(kind: ErrorKind, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// Returns an error of class [`ErrorKind::Failed`].
    pub fn failed(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, name, message)
    }

    /// Returns an error of class [`ErrorKind::Usage`].
    pub fn usage(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, name, message)
    }

    /// Returns an error of class [`ErrorKind::Unreachable`].
    pub fn unreachable(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unreachable, name, message)
    }

    /// Returns the error with `hint` as the next step, in place of an earlier one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the error as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": false,
            "error": self.name,
            "message": self.message,
            "hint": self.hint,
        })
    }

    /// Returns the exit code of the process.
    pub fn code(&self) -> u8 {
        self.kind as u8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.name)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  next: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
