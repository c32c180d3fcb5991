// SPDX-License-Identifier: GPL-3.0-only
//! Waiting for the settlement of a request.

use super::{provisional::print_provisional, request::SubmittedRequest};
use crate::{
    chain::{
        rpc::Rpc,
        value::{ReadValue, Value},
        Chain, Event, EventStream,
    },
    deadline::{Awaited, Deadline},
    error::{Error, ErrorKind, Result},
    output::Output,
};
use agorai_primitives::RequestId;
use subxt::ext::scale_value::{Composite, ValueDef};

/// An answer that was checked and paid for.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The bytes of the answer.
    pub output: Vec<u8>,
    /// The validator that generated it and is paid.
    pub executor: String,
    /// The fee, in the smallest unit.
    pub fee: u128,
    /// The recipients of the fee and their amounts, in the chain's order.
    pub split: Vec<(String, u128)>,
    /// Number of validators that confirmed the answer.
    pub receipts: usize,
    /// Whether verification settled the claim on the answer.
    pub claim_settled: bool,
    /// Executors of this request whose claims were refused.
    pub refused: Vec<String>,
    /// Height of the block in which the request was settled.
    pub block: u32,
}

impl Answer {
    /// Returns the answer as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

/// Returns the next step when the wait for a request ends without an outcome.
fn hint(request: RequestId) -> String {
    format!(
        "request {request} stays open on the chain and is settled or refunded without this command; do not repeat it, \
         read its outcome from Inference.Requests({request})"
    )
}

/// Waits until a request is settled and prints the provisional text of `nodes`. A refund is an error.
pub async fn wait_for_settlement(
    chain: &Chain,
    nodes: &[Rpc],
    submitted: &SubmittedRequest,
    deadline: Deadline,
    out: &Output,
) -> Result<Answer> {
    let spinner = out.spinner("waiting for the checked answer");
    let outcome = tokio::select! {
        outcome = follow(chain, submitted, deadline) => outcome,
        () = print_provisional(nodes, submitted.request, out) => {
            Err(Error::failed("Interrupted", "the wait for the answer was interrupted"))
        }
    };
    spinner.finish_and_clear();
    out.end_of_pieces();
    outcome.map_err(|e| match e.kind {
        ErrorKind::Unreachable => e.hint(hint(submitted.request)),
        _ => e,
    })
}

async fn follow(chain: &Chain, submitted: &SubmittedRequest, deadline: Deadline) -> Result<Answer> {
    let awaited = Awaited::new(
        format!("the answer to request {}", submitted.request),
        hint(submitted.request),
    );
    let mut events = EventStream::new(chain, submitted.block);
    let mut progress = Progress::new(submitted.request);
    loop {
        let (block, event) = events.next(deadline, &awaited).await?;
        if let Some(answer) = progress.apply(block, &event)? {
            return Ok(answer);
        }
    }
}

/// The events of a request so far.
struct Progress {
    request: RequestId,
    /// The jobs of the claims on this request.
    jobs: Vec<String>,
    /// Executors whose claims were refused.
    refused: Vec<String>,
    /// The job of each settled claim and the number of its checkers. A claim settles just before its request.
    settled_claims: Vec<(String, usize)>,
}

impl Progress {
    fn new(request: RequestId) -> Self {
        Self {
            request,
            jobs: Vec::new(),
            refused: Vec::new(),
            settled_claims: Vec::new(),
        }
    }

    /// Applies the next event of the chain; returns the answer when the request is settled.
    fn apply(&mut self, block: u32, event: &Event) -> Result<Option<Answer>> {
        match (event.pallet.as_str(), event.name.as_str()) {
            ("Verification", "ClaimSettled") => {
                let checkers = event.fields.field("checkers");
                let count = checkers
                    .map(|checkers| checkers.uint().map_or(checkers.accounts().len(), |n| n as usize))
                    .unwrap_or_default();
                self.settled_claims.push((event.hash("job")?, count));
            }
            ("Verification", "ClaimRefused") => {
                let job = event.hash("job")?;
                if self.jobs.contains(&job) {
                    self.refused.push(event.hash("executor")?);
                }
            }
            ("Inference", name) if event.fields.uint_field("request") == Some(self.request) => match name {
                "Claimed" => self.jobs.push(event.hash("job")?),
                "Refunded" => {
                    return Err(Error::failed(
                        "Refunded",
                        format!(
                            "no validator gave an answer that others confirmed; request {} is refunded in full",
                            self.request
                        ),
                    )
                    .hint("see the nodes' logs and try again"));
                }
                "Settled" => return self.answer(block, event).map(Some),
                _ => {}
            },
            _ => {}
        }
        Ok(None)
    }

    fn answer(&mut self, block: u32, settled: &Event) -> Result<Answer> {
        let receipts = self
            .settled_claims
            .iter()
            .rev()
            .find(|(job, _)| self.jobs.contains(job))
            .map(|(_, count)| *count);
        Ok(Answer {
            output: settled
                .fields
                .field("output")
                .and_then(ReadValue::bytes)
                .unwrap_or_default(),
            executor: settled.hash("executor")?,
            fee: settled.uint("fee")?,
            split: settled.fields.field("split").map(split).unwrap_or_default(),
            receipts: receipts.unwrap_or_default(),
            claim_settled: receipts.is_some(),
            refused: std::mem::take(&mut self.refused),
            block,
        })
    }
}

/// Returns the parts of a fee with the chain's names.
fn split(value: &Value) -> Vec<(String, u128)> {
    match &value.value {
        ValueDef::Composite(Composite::Named(parts)) => parts
            .iter()
            .filter_map(|(name, part)| Some((name.replace('_', " "), part.uint()?)))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::value, test_runtime::assert_event};

    fn event(pallet: &str, name: &str, fields: Vec<(&str, Value)>) -> Event {
        Event {
            pallet: pallet.to_owned(),
            name: name.to_owned(),
            fields: Value::named_composite(fields),
        }
    }

    #[test]
    fn split_is_read_by_the_names_of_the_chain() {
        let parts = Value::named_composite([("executor", Value::u128(70)), ("data_contributors", Value::u128(30))]);
        assert_eq!(
            split(&parts),
            [("executor".to_owned(), 70), ("data contributors".to_owned(), 30)]
        );
    }

    #[test]
    fn answer_counts_the_refused_claims_of_its_own_request_only() {
        let hash = |n: u8| Value::from_bytes([n; 32]);
        let claim = |request: u32, job: u8| {
            let fields = vec![("request", value::uint(request)), ("job", hash(job))];
            event("Inference", "Claimed", fields)
        };
        let refused = |job: u8, executor: u8| {
            let fields = vec![("job", hash(job)), ("executor", hash(executor))];
            event("Verification", "ClaimRefused", fields)
        };
        let checkers = Value::unnamed_composite([hash(8), hash(9)]);
        let settled = vec![("job", hash(2)), ("checkers", checkers)];
        let mut progress = Progress::new(7);
        for event in [
            claim(7, 1),
            claim(6, 3),
            refused(1, 4),
            refused(3, 5),
            claim(7, 2),
            event("Verification", "ClaimSettled", settled),
        ] {
            assert!(progress.apply(1, &event).unwrap().is_none());
        }
        let fields = vec![
            ("request", value::uint(7u32)),
            ("executor", hash(6)),
            ("fee", value::uint(10u32)),
            ("output", Value::from_bytes(b"hi")),
        ];
        let answer = progress
            .apply(3, &event("Inference", "Settled", fields))
            .unwrap()
            .unwrap();
        assert_eq!(answer.output, b"hi");
        assert_eq!(answer.refused, [hex::encode([4; 32])]);
        assert_eq!((answer.receipts, answer.claim_settled, answer.block), (2, true, 3));
    }

    #[test]
    fn names_of_the_events_exist_in_the_runtime() {
        assert_event("Verification", "ClaimSettled", &["job", "checkers"]);
        assert_event("Verification", "ClaimRefused", &["job", "executor"]);
        assert_event("Inference", "Claimed", &["request", "job"]);
        assert_event("Inference", "Refunded", &["request"]);
        assert_event(
            "Inference",
            "Settled",
            &["request", "output", "executor", "fee", "split"],
        );
    }
}
