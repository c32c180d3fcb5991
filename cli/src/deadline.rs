// SPDX-License-Identifier: GPL-3.0-only
//! Deadlines: a command computes one when it starts, and every wait of the command ends at it.

use crate::error::{Error, Result};
use std::{future::Future, time::Duration};
use tokio::time::{timeout_at, Instant};

/// The longest time limit; a larger one is reduced to it, so that the deadline is representable.
const MAX_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The time at which a command, or one step of it, stops waiting.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

/// What is awaited, for the error of an expired deadline.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// Completes the sentence "timed out waiting for ...".
    pub what: String,
    /// What to do next if it does not come.
    pub hint: String,
}

impl Awaited {
    /// Returns the description of an awaited event and of the next step after a timeout.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl Deadline {
    /// Returns the deadline that expires after `limit` from now.
    pub fn after(limit: Duration) -> Self {
        let limit = limit.min(MAX_LIMIT);
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// Returns the deadline that expires after `seconds` from now.
    pub fn after_seconds(seconds: u64) -> Self {
        Self::after(Duration::from_secs(seconds))
    }

    /// Whether the deadline has expired.
    pub fn is_expired(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Returns the output of `work`, or `None` if the deadline expires first; `work` is then dropped.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, work).await.ok()
    }

    /// Returns the output of `work`, or the error `Timeout` if the deadline expires first; `work` is then dropped.
    pub async fn limit<T>(&self, awaited: &Awaited, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.run(work).await {
            Some(output) => output,
            None => Err(self.expired(awaited)),
        }
    }

    /// Returns the error `Timeout`, which names what was awaited and the time limit.
    pub fn expired(&self, awaited: &Awaited) -> Error {
        Error::unreachable(
            "Timeout",
            format!(
                "timed out after {} s waiting for {}",
                self.limit.as_secs(),
                awaited.what
            ),
        )
        .hint(awaited.hint.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn wait_fails_with_what_was_awaited_when_the_deadline_expires() {
        let deadline = Deadline::after(Duration::from_millis(5));
        let awaited = Awaited::new("the answer to request 7", "read request 7");
        let error = deadline
            .limit(&awaited, std::future::pending::<Result<()>>())
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Unreachable, "Timeout"));
        assert!(error.message.contains("the answer to request 7"));
        assert_eq!(error.hint.as_deref(), Some("read request 7"));
        assert!(deadline.is_expired());
    }

    #[tokio::test]
    async fn work_that_is_done_keeps_its_own_result_when_the_deadline_is_far() {
        let deadline = Deadline::after_seconds(u64::MAX);
        let awaited = Awaited::new("nothing", "");
        assert_eq!(deadline.limit(&awaited, async { Ok(3) }).await, Ok(3));
        assert!(!deadline.is_expired());
    }
}
