// SPDX-License-Identifier: GPL-3.0-only
//! `agorai infer`: submits an inference request and waits for the answer that the validators have checked.

mod fee;
mod provisional;
mod request;
mod settlement;

pub use fee::{fee_json, fee_table};
pub use request::{submit_checked, submit_unchecked, Request, SubmittedRequest};
pub use settlement::{wait_for_settlement, Answer};

use super::connection::keypair;
use crate::{
    args::{Cli, Infer},
    chain::Chain,
    deadline::Deadline,
    error::Result,
    output::Output,
};
use serde_json::json;

/// Runs the command. The deadline covers everything from the connection to the finalised answer.
pub async fn run(cli: &Cli, command: &Infer, out: &Output) -> Result<()> {
    let deadline = Deadline::after_seconds(command.timeout);
    let request = Request::from_arguments(command)?;
    let signer = keypair(cli)?;
    let chain = Chain::connect(&cli.url, deadline).await?;
    let submitted = submit_checked(&chain, &signer, &request, deadline, out).await?;
    out.note(format!(
        "request {} is assigned to validator {}",
        submitted.request, submitted.executor
    ));
    let nodes = [chain.rpc().clone()];
    let answer = wait_for_settlement(&chain, &nodes, &submitted, deadline, out).await?;
    out.result(
        &json!({
            "ok": true,
            "request": submitted.request,
            "answer": answer.text(),
            "answer_hex": hex::encode(&answer.output),
            "executor": answer.executor,
            "claim_settled": answer.claim_settled,
            "receipts": answer.receipts,
            "refused": answer.refused,
            "fee": fee_json(&answer),
            "block": answer.block,
        }),
        format!("{}\n\n{}", answer.text(), fee_table(&answer)),
    );
    Ok(())
}
