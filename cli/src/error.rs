// SPDX-License-Identifier: GPL-3.0-only
//! What a command ends with when it does not succeed: a name for programs, a sentence for people and,
//! where there is one, the next thing to do.

use std::fmt;

/// The exit code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something went wrong, or what was asked for did not happen.
    Failed = 1,
    /// The input makes no sense: arguments, files, prompts. Nothing has been sent.
    Usage = 2,
    /// The chain said no.
    Refused = 3,
    /// No answer: no connection, or none in time.
    Unreachable = 4,
}

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// A stable name, such as `CorpusNotUtf8` or `Inference::FeeBelowPrice`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind`.
    pub fn new(kind: Kind, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// [`Kind::Failed`].
    pub fn failed(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, name, message)
    }

    /// [`Kind::Usage`].
    pub fn usage(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, name, message)
    }

    /// [`Kind::Unreachable`].
    pub fn unreachable(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, name, message)
    }

    /// The same with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As one JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": false,
            "error": self.name,
            "message": self.message,
            "hint": self.hint,
        })
    }

    /// The exit code of the process.
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
