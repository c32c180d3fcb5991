// SPDX-License-Identifier: GPL-3.0-only
//! `agorai train`.

use super::{
    model::{self, nats},
    submit,
};
use crate::{
    args::{Cli, Train},
    chain::{
        value::{self, Read, Value},
        Call, Chain,
    },
    error::{Error, Kind, Result},
    output::Output,
    table,
};
use agorai_primitives::{training::Recipe, DatasetId, ModelId, PlanId, RoundIndex, VersionIndex};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use subxt_signer::sr25519::Keypair;
use tokio::time::Instant;

/// A plan to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The model.
    pub model: ModelId,
    /// What to train on.
    pub datasets: Vec<DatasetId>,
    /// Rounds.
    pub rounds: u32,
    /// How a worker trains.
    pub recipe: Recipe,
    /// Native tokens for each round.
    pub reward: u128,
    /// New shares for each round.
    pub shares: u128,
    /// Fewest workers of a round.
    pub minimum_workers: u32,
}

/// A started plan.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its index.
    pub plan: PlanId,
    /// The block.
    pub block: u32,
}

/// Starts a plan on the live version.
pub async fn start(chain: &Chain, signer: &Keypair, plan: &Plan, out: &Output) -> Result<Started> {
    plan.recipe
        .validate()
        .map_err(|e| Error::usage("BadRecipe", format!("the recipe makes no sense: {e:?}")))?;
    model::info(chain, plan.model).await?;
    let call = Call::new(
        "Training",
        "create_plan",
        [
            ("model", value::number(plan.model)),
            ("base", value::option(None)),
            (
                "datasets",
                Value::unnamed_composite(plan.datasets.iter().map(|id| value::number(*id))),
            ),
            ("rounds", value::number(plan.rounds)),
            ("recipe", value::recipe(&plan.recipe)),
            ("reward_per_round", value::number(plan.reward)),
            ("shares_per_round", value::number(plan.shares)),
            ("minimum_workers", value::number(plan.minimum_workers)),
        ],
    );
    let included = submit(chain, signer, call, "starting the plan", out).await?;
    Ok(Started {
        plan: included.event("Training", "PlanCreated")?.number("plan")?,
        block: included.block,
    })
}

/// A completed round.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Its index, from 0.
    pub round: RoundIndex,
    /// Accounts of the workers that contributed, each once.
    pub workers: Vec<String>,
    /// Held-out loss before, in nats per token.
    pub loss_before: f64,
    /// Held-out loss after.
    pub loss_after: f64,
    /// The new weights.
    pub weights: String,
    /// Their version.
    pub version: VersionIndex,
}

/// A completed plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Completed rounds, in order.
    pub rounds: Vec<Round>,
    /// Void rounds and why they are.
    pub void: Vec<(RoundIndex, String)>,
    /// The last weights.
    pub weights: String,
    /// The block in which the plan completed.
    pub block: u32,
}

/// Follows a plan from block `from` until it has completed. Void rounds are told; a plan that was
/// cancelled or abandoned is an error.
pub async fn watch(
    chain: &Chain,
    plan: PlanId,
    rounds: u32,
    from: u32,
    deadline: Instant,
    out: &Output,
) -> Result<Outcome> {
    let bar = out.bar("training", rounds.into(), false);
    let outcome = follow(chain, plan, rounds, from, deadline, out, &bar).await;
    bar.finish_and_clear();
    outcome
}

async fn follow(
    chain: &Chain,
    plan: PlanId,
    rounds: u32,
    from: u32,
    deadline: Instant,
    out: &Output,
    bar: &indicatif::ProgressBar,
) -> Result<Outcome> {
    let mut follow = chain.follow(from);
    let mut workers: BTreeMap<RoundIndex, Vec<String>> = BTreeMap::new();
    let (mut done, mut void) = (Vec::new(), Vec::new());
    loop {
        let (block, event) = follow.next(deadline).await?;
        if event.pallet != "Training" || event.fields.number::<PlanId>("plan") != Some(plan) {
            continue;
        }
        let of = |round: RoundIndex| format!("round {} of {rounds}", round.saturating_add(1));
        match event.name.as_str() {
            "PhaseChanged" => {
                let round = event.number("round")?;
                let phase = event
                    .fields
                    .field("phase")
                    .and_then(Read::variant)
                    .map(|(name, _)| name.to_lowercase())
                    .unwrap_or_default();
                bar.set_message(format!("training, {}: {phase}", of(round)));
            }
            "Contributed" => {
                let round = event.number("round")?;
                let contributed = workers.entry(round).or_default();
                let worker = event.hash("worker")?;
                if !contributed.contains(&worker) {
                    contributed.push(worker);
                }
                bar.set_message(format!("training, {}: {} contributions", of(round), contributed.len()));
            }
            "RoundCompleted" => {
                let round: RoundIndex = event.number("round")?;
                let completed = Round {
                    round,
                    workers: workers.remove(&round).unwrap_or_default(),
                    loss_before: nats(event.number("loss_before")?),
                    loss_after: nats(event.number("loss_after")?),
                    weights: event.hash("weights")?,
                    version: event.number("version")?,
                };
                bar.set_position(u64::from(round) + 1);
                out.note(format!(
                    "{}: {} workers, held-out loss {:.4} -> {:.4}",
                    of(round),
                    completed.workers.len(),
                    completed.loss_before,
                    completed.loss_after
                ));
                done.push(completed);
            }
            "RoundVoid" => {
                let round = event.number("round")?;
                let reason = event.fields.field("reason").map(Read::json);
                let reason = reason.unwrap_or_default().to_string();
                bar.set_position(u64::from(round) + 1);
                out.note(format!("{} is void: {reason}", of(round)));
                void.push((round, reason));
            }
            name @ ("PlanCancelled" | "PlanAbandoned") => {
                return Err(
                    Error::failed(name, format!("plan {plan} ended early; void rounds: {void:?}"))
                        .hint("see the nodes' logs; what the completed rounds made stays, start another plan to go on"),
                );
            }
            "PlanCompleted" => {
                return Ok(Outcome {
                    rounds: done,
                    void,
                    weights: event.hash("weights")?,
                    block,
                });
            }
            _ => {}
        }
    }
}

/// The rounds as a table.
pub fn rounds_table(rounds: &[Round]) -> String {
    let rows: Vec<Vec<String>> = rounds
        .iter()
        .map(|round| {
            vec![
                round.round.saturating_add(1).to_string(),
                round.workers.len().to_string(),
                format!("{:.4}", round.loss_before),
                format!("{:.4}", round.loss_after),
                round.weights.chars().take(16).collect(),
            ]
        })
        .collect();
    table::render(&["round", "workers", "loss before", "loss after", "weights"], &rows)
}

/// The rounds as JSON.
pub fn rounds_json(rounds: &[Round]) -> serde_json::Value {
    rounds
        .iter()
        .map(|round| {
            json!({
                "round": round.round,
                "workers": round.workers,
                "loss_before": round.loss_before,
                "loss_after": round.loss_after,
                "weights": round.weights,
                "version": round.version,
            })
        })
        .collect()
}

/// Runs a command of this group.
pub async fn run(cli: &Cli, command: &Train, out: &Output) -> Result<()> {
    match command {
        Train::Start {
            model,
            datasets,
            rounds,
            reward,
            shares,
            minimum_workers,
            detach,
            timeout,
        } => {
            let plan = Plan {
                model: *model,
                datasets: datasets.clone(),
                rounds: *rounds,
                recipe: Recipe::SMALL,
                reward: *reward,
                shares: *shares,
                minimum_workers: *minimum_workers,
            };
            let signer = cli.keypair()?;
            let chain = cli.chain().await?;
            let started = start(&chain, &signer, &plan, out).await?;
            if *detach {
                out.result(
                    &json!({"ok": true, "plan": started.plan, "block": started.block}),
                    format!("plan {} is started", started.plan),
                );
                return Ok(());
            }
            out.note(format!("plan {} is started", started.plan));
            let deadline = Instant::now() + Duration::from_secs(*timeout);
            let from = started.block;
            let outcome = watch(&chain, started.plan, *rounds, from, deadline, out).await?;
            report(started.plan, &outcome, out);
        }
        Train::Watch { plan, timeout } => {
            let chain = cli.chain().await?;
            let record = chain
                .read("Training", "Plans", vec![value::number(*plan)])
                .await?
                .ok_or_else(|| {
                    Error::new(
                        Kind::Refused,
                        "UnknownPlan",
                        format!("no plan has the index {plan}, or it ended long ago"),
                    )
                    .hint("see the model's versions with: agorai model show ID")
                })?;
            let rounds = record.number("rounds").unwrap_or_default();
            let running = record
                .field("status")
                .and_then(Read::variant)
                .is_some_and(|(status, _)| status == "Running" || status == "Stopping");
            if running {
                let from = chain.finalized().await?;
                let deadline = Instant::now() + Duration::from_secs(*timeout);
                watch(&chain, *plan, rounds, from, deadline, out).await?;
            }
            summarise(&chain, *plan, out).await?;
        }
    }
    Ok(())
}

/// Prints what the chain keeps about a plan that is over.
async fn summarise(chain: &Chain, plan: PlanId, out: &Output) -> Result<()> {
    let (mut rows, mut rounds) = (Vec::new(), Vec::new());
    for (keys, record) in chain.entries("Training", "Rounds", vec![value::number(plan)]).await? {
        let round: RoundIndex = keys.last().and_then(Read::small).unwrap_or_default();
        let count = |name| record.number::<u32>(name).unwrap_or_default();
        let loss = |name| nats(record.number(name).unwrap_or_default());
        let void = record.field("void").map(Read::json).unwrap_or_default();
        let weights = record.hash_in("weights").unwrap_or_default();
        rows.push(vec![
            round.saturating_add(1).to_string(),
            count("workers").to_string(),
            count("accepted").to_string(),
            format!("{:.4}", loss("loss_before")),
            format!("{:.4}", loss("loss_after")),
            void.as_str().unwrap_or("-").to_owned(),
        ]);
        rounds.push(json!({
            "round": round,
            "workers": count("workers"),
            "accepted": count("accepted"),
            "void": void,
            "loss_before": loss("loss_before"),
            "loss_after": loss("loss_after"),
            "weights": weights,
        }));
    }
    let record = chain.read("Training", "Plans", vec![value::number(plan)]).await?;
    let status = record
        .as_ref()
        .and_then(|record| record.field("status"))
        .map(Read::json)
        .unwrap_or_default();
    let weights = record.and_then(|record| record.hash_in("weights"));
    let head = ["round", "workers", "accepted", "loss before", "loss after", "void"];
    out.result(
        &json!({
            "ok": true,
            "plan": plan,
            "status": status,
            "weights": weights,
            "rounds": rounds,
        }),
        format!(
            "{}\nplan {plan}: {}",
            table::render(&head, &rows),
            status.as_str().unwrap_or("forgotten")
        ),
    );
    Ok(())
}

fn report(plan: PlanId, outcome: &Outcome, out: &Output) {
    out.result(
        &json!({
            "ok": true,
            "plan": plan,
            "rounds": rounds_json(&outcome.rounds),
            "void": outcome.void.len(),
            "weights": outcome.weights,
            "block": outcome.block,
        }),
        format!(
            "{}\nplan {plan} is complete, weights {}",
            rounds_table(&outcome.rounds),
            outcome.weights
        ),
    );
}
