// SPDX-License-Identifier: GPL-3.0-only
//! `agorai infer`.

use super::{
    model::{self, Info},
    submit,
};
use crate::{
    args::{Cli, Infer},
    chain::{
        rpc::Rpc,
        value::{self, Read, Value},
        Call, Chain,
    },
    error::{Error, Result},
    output::Output,
    table,
};
use agorai_primitives::{
    job::{Sampling, MAX_PROMPT, MAX_TOKENS},
    ModelId, RequestId,
};
use serde_json::json;
use std::time::Duration;
use subxt::ext::scale_value::{Composite, ValueDef};
use subxt_signer::sr25519::Keypair;
use tokio::time::{sleep, Instant};

/// How often provisional text is asked for.
const POLL: Duration = Duration::from_millis(300);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The model.
    pub model: ModelId,
    /// The prompt.
    pub prompt: String,
    /// How to sample.
    pub sampling: Sampling,
    /// Most that is paid; `None` = what the price asks for.
    pub max_fee: Option<u128>,
}

/// A request that was accepted.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its index.
    pub request: RequestId,
    /// The validator that answers first.
    pub executor: String,
    /// What was offered.
    pub max_fee: u128,
    /// The block.
    pub block: u32,
}

/// An answer that was checked and paid for.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer's bytes.
    pub output: Vec<u8>,
    /// The validator that is paid for it.
    pub executor: String,
    /// What it cost.
    pub fee: u128,
    /// Who got how much, in the chain's order.
    pub split: Vec<(String, u128)>,
    /// Validators whose receipts opened.
    pub receipts: usize,
    /// Whether the claim settled in verification (and not only the request).
    pub claim_settled: bool,
    /// Executors whose claims were refused on the way.
    pub refused: Vec<String>,
    /// Passed on from one executor to another, with the reason.
    pub reassigned: Vec<String>,
    /// The block.
    pub block: u32,
}

impl Answer {
    /// The answer as text; bytes that are no text are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

/// Checks a question against the model before anything is sent.
fn check(question: &Question, info: &Info) -> Result<()> {
    let (prompt, most) = (question.prompt.len(), MAX_PROMPT as usize);
    if prompt == 0 {
        return Err(Error::usage("PromptEmpty", "the prompt is empty"));
    }
    let too_long =
        |what: String| Err(Error::usage("PromptTooLong", what).hint("shorten the prompt or lower --max-tokens"));
    if prompt > most {
        return too_long(format!("the prompt has {prompt} bytes; at most {most} are taken"));
    }
    let tokens = question.sampling.max_tokens;
    if tokens == 0 || tokens > MAX_TOKENS {
        return Err(Error::usage(
            "BadMaxTokens",
            format!("--max-tokens is {tokens}; it must be 1 to {MAX_TOKENS}"),
        ));
    }
    let context = u64::from(info.context);
    if context > 0 && prompt as u64 + u64::from(tokens) > context {
        return too_long(format!(
            "the prompt has {prompt} bytes and the answer up to {tokens}; the model holds {context} together"
        ));
    }
    Ok(())
}

/// Checks a question and sends it. `max_fee` defaults to the price of prompt and longest answer.
pub async fn ask(chain: &Chain, signer: &Keypair, question: &Question, out: &Output) -> Result<Asked> {
    let info = model::info(chain, question.model).await?;
    check(question, &info)?;
    let tokens = question.prompt.len() as u128 + u128::from(question.sampling.max_tokens);
    let max_fee = question.max_fee.unwrap_or_else(|| info.price.saturating_mul(tokens));
    send(chain, signer, question, max_fee, out).await
}

/// Sends a question unchecked: what is wrong with it is the chain's to say.
pub async fn send(chain: &Chain, signer: &Keypair, question: &Question, max_fee: u128, out: &Output) -> Result<Asked> {
    let call = Call::new(
        "Inference",
        "request",
        [
            ("model", value::number(question.model)),
            ("prompt", Value::from_bytes(&question.prompt)),
            ("sampling", value::sampling(&question.sampling)),
            ("certainty", value::case("Checked")),
            ("max_fee", value::number(max_fee)),
        ],
    );
    let included = submit(chain, signer, call, "sending the request", out).await?;
    let event = included.event("Inference", "Requested")?;
    Ok(Asked {
        request: event.number("request")?,
        executor: event.hash("executor")?,
        max_fee,
        block: included.block,
    })
}

/// Shows provisional text of `nodes` while the request is open; returns only by being dropped.
async fn provisional(nodes: &[Rpc], request: RequestId, out: &Output) {
    let mut shown: Vec<u8> = Vec::new();
    loop {
        for node in nodes {
            // Provisional text is a convenience: a node that does not offer it is simply silent.
            let Ok(text) = node.provisional(request).await else {
                continue;
            };
            if text.len() > shown.len() && text.starts_with(&shown) {
                let new = text.get(shown.len()..).unwrap_or_default();
                out.piece(&String::from_utf8_lossy(new), shown.is_empty());
                shown = text;
            }
        }
        sleep(POLL).await;
    }
}

/// Waits until a request is settled, showing provisional text of `nodes`. A refund is an error.
pub async fn settle(chain: &Chain, nodes: &[Rpc], asked: &Asked, deadline: Instant, out: &Output) -> Result<Answer> {
    let spinner = out.spinner("waiting for the answer and its checks");
    let outcome = tokio::select! {
        outcome = settlement(chain, asked, deadline) => outcome,
        () = provisional(nodes, asked.request, out) => {
            Err(Error::failed("Interrupted", "stopped waiting for the answer"))
        }
    };
    spinner.finish_and_clear();
    out.end_of_pieces();
    outcome
}

async fn settlement(chain: &Chain, asked: &Asked, deadline: Instant) -> Result<Answer> {
    let mut follow = chain.follow(asked.block);
    let (mut jobs, mut refused, mut reassigned) = (Vec::new(), Vec::new(), Vec::new());
    // Checkers of settled claims by job: the claim settles just before the request does.
    let mut settled: Vec<(String, usize)> = Vec::new();
    loop {
        let (block, event) = follow.next(deadline).await?;
        match (event.pallet.as_str(), event.name.as_str()) {
            ("Verification", "ClaimSettled") => {
                let checkers = event.fields.field("checkers");
                let count = checkers
                    .map(|checkers| checkers.uint().map_or(checkers.accounts().len(), |n| n as usize))
                    .unwrap_or_default();
                settled.push((event.hash("job")?, count));
            }
            ("Verification", "ClaimRefused") => {
                let job = event.hash("job")?;
                if jobs.contains(&job) {
                    refused.push(event.hash("executor")?);
                }
            }
            ("Inference", name) if event.fields.number("request") == Some(asked.request) => match name {
                "Claimed" => jobs.push(event.hash("job")?),
                "Reassigned" => reassigned.push(event.fields.json().to_string()),
                "Refunded" => {
                    return Err(Error::failed(
                        "Refunded",
                        format!(
                            "no validator gave an answer that the others confirmed; request {} is refunded in full",
                            asked.request
                        ),
                    )
                    .hint("see the nodes' logs and try again"));
                }
                "Settled" => {
                    let receipts = settled
                        .iter()
                        .rev()
                        .find(|(job, _)| jobs.contains(job))
                        .map(|(_, count)| *count);
                    return Ok(Answer {
                        output: event.fields.field("output").and_then(Read::octets).unwrap_or_default(),
                        executor: event.hash("executor")?,
                        fee: event.number("fee")?,
                        split: event.fields.field("split").map(split).unwrap_or_default(),
                        receipts: receipts.unwrap_or_default(),
                        claim_settled: receipts.is_some(),
                        refused,
                        reassigned,
                        block,
                    });
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// The parts of a fee, named as on the chain.
fn split(value: &Value) -> Vec<(String, u128)> {
    match &value.value {
        ValueDef::Composite(Composite::Named(parts)) => parts
            .iter()
            .filter_map(|(name, part)| Some((name.replace('_', " "), part.uint()?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// The fee split as a table.
pub fn split_table(answer: &Answer) -> String {
    let share = |part: u128| {
        let percent = 100.0 * part as f64 / answer.fee.max(1) as f64;
        format!("{percent:.1} %")
    };
    let mut rows: Vec<Vec<String>> = answer
        .split
        .iter()
        .map(|(name, part)| vec![name.clone(), table::tokens(*part), share(*part)])
        .collect();
    rows.push(vec!["fee".to_owned(), table::tokens(answer.fee), share(answer.fee)]);
    table::render(&["goes to", "AGO", "part"], &rows)
}

/// The fee split as JSON; amounts that JavaScript could not hold are text.
pub fn split_json(answer: &Answer) -> serde_json::Value {
    let amount = |n: u128| match u64::try_from(n) {
        Ok(small) if small < 1 << 53 => serde_json::Value::from(small),
        _ => n.to_string().into(),
    };
    let mut parts: serde_json::Map<String, serde_json::Value> = answer
        .split
        .iter()
        .map(|(name, part)| (name.replace(' ', "_"), amount(*part)))
        .collect();
    parts.insert("total".to_owned(), amount(answer.fee));
    parts.into()
}

/// Thousandths of a parameter of the sampling, or a usage error.
fn thousandths(option: &str, value: f64, most: f64) -> Result<u32> {
    if value.is_finite() && (0.0..=most).contains(&value) {
        Ok((value * 1000.0).round() as u32)
    } else {
        Err(Error::usage(
            "BadSampling",
            format!("{option} is {value}; it must be 0 to {most}"),
        ))
    }
}

/// Runs the command.
pub async fn run(cli: &Cli, command: &Infer, out: &Output) -> Result<()> {
    let question = Question {
        model: command.model,
        prompt: command.prompt.clone(),
        sampling: Sampling {
            max_tokens: command.max_tokens,
            temperature_milli: thousandths("--temperature", command.temperature, 10.0)?,
            top_k: command.top_k,
            top_p_milli: thousandths("--top-p", command.top_p, 1.0)?,
            seed: command.seed,
            stop: None,
        },
        max_fee: command.max_fee,
    };
    let signer = cli.keypair()?;
    let chain = cli.chain().await?;
    let asked = ask(&chain, &signer, &question, out).await?;
    out.note(format!(
        "request {} is with validator {}",
        asked.request, asked.executor
    ));
    let deadline = Instant::now() + Duration::from_secs(command.timeout);
    let nodes = [chain.rpc().clone()];
    let answer = settle(&chain, &nodes, &asked, deadline, out).await?;
    out.result(
        &json!({
            "ok": true,
            "request": asked.request,
            "answer": answer.text(),
            "answer_hex": hex::encode(&answer.output),
            "executor": answer.executor,
            "claim_settled": answer.claim_settled,
            "receipts": answer.receipts,
            "refused": answer.refused,
            "fee": split_json(&answer),
            "block": answer.block,
        }),
        format!("{}\n\n{}", answer.text(), split_table(&answer)),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(prompt: usize, max_tokens: u32) -> Question {
        Question {
            model: 0,
            prompt: "a".repeat(prompt),
            sampling: Sampling {
                max_tokens,
                temperature_milli: 0,
                top_k: 0,
                top_p_milli: 0,
                seed: 0,
                stop: None,
            },
            max_fee: None,
        }
    }

    fn refusal(prompt: usize, max_tokens: u32) -> Option<String> {
        let info = Info {
            record: Value::unnamed_composite([]),
            live: Some(0),
            price: 1,
            context: 256,
        };
        check(&question(prompt, max_tokens), &info).err().map(|e| e.name)
    }

    #[test]
    fn prompt_is_refused_when_empty_or_too_long() {
        assert_eq!(refusal(200, 56), None);
        assert_eq!(refusal(0, 10).as_deref(), Some("PromptEmpty"));
        assert_eq!(refusal(201, 56).as_deref(), Some("PromptTooLong"));
        assert_eq!(refusal(9000, 1).as_deref(), Some("PromptTooLong"));
        assert_eq!(refusal(10, 0).as_deref(), Some("BadMaxTokens"));
    }

    #[test]
    fn sampling_is_refused_when_out_of_range() {
        assert_eq!(thousandths("--top-p", 0.95, 1.0), Ok(950));
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(thousandths("--top-p", bad, 1.0).is_err());
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
}
