// SPDX-License-Identifier: GPL-3.0-only
//! Results of a plan, as tables and as JSON.

use super::watch::{CompletedPlan, CompletedRound};
use crate::{
    chain::{
        value::{self, ReadValue, Value},
        Chain,
    },
    commands::model::nats,
    deadline::{Awaited, Deadline},
    error::Result,
    output::Output,
    table,
};
use agorai_primitives::{PlanId, RoundIndex};
use serde_json::json;

/// Returns completed rounds as a table.
pub fn rounds_table(rounds: &[CompletedRound]) -> String {
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

/// Prints a plan that was watched until it completed.
pub fn print_completed(plan: PlanId, completed: &CompletedPlan, out: &Output) {
    let rounds: Vec<serde_json::Value> = completed
        .rounds
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
        .collect();
    out.result(
        &json!({
            "ok": true,
            "plan": plan,
            "rounds": rounds,
            "void": completed.void.len(),
            "weights": completed.weights,
            "block": completed.block,
        }),
        format!(
            "{}\nplan {plan} is complete, weights {}",
            rounds_table(&completed.rounds),
            completed.weights
        ),
    );
}

/// Prints what the chain records about a plan and its rounds.
pub async fn print_record(chain: &Chain, plan: PlanId, deadline: Deadline, out: &Output) -> Result<()> {
    let awaited = Awaited::new(
        format!("the rounds of plan {plan}"),
        "check that the node runs and is synchronised, then try again",
    );
    let read = async {
        let rounds = chain.entries("Training", "Rounds", vec![value::uint(plan)]).await?;
        let record = chain.read("Training", "Plans", vec![value::uint(plan)]).await?;
        Ok((rounds, record))
    };
    let (entries, record) = deadline.limit(&awaited, read).await?;
    let (rows, rounds): (Vec<_>, Vec<_>) = entries.iter().map(|(keys, round)| round_row(keys, round)).unzip();
    let status = record
        .as_ref()
        .and_then(|record| record.field("status"))
        .map(ReadValue::json)
        .unwrap_or_default();
    let weights = record.and_then(|record| record.hash_field("weights"));
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
            status.as_str().unwrap_or("no record")
        ),
    );
    Ok(())
}

/// Returns a recorded round as a row of a table and as JSON.
fn round_row(keys: &[Value], record: &Value) -> (Vec<String>, serde_json::Value) {
    let round: RoundIndex = keys.last().and_then(ReadValue::uint_as).unwrap_or_default();
    let count = |name| record.uint_field::<u32>(name).unwrap_or_default();
    let loss = |name| nats(record.uint_field(name).unwrap_or_default());
    let void = record.field("void").map(ReadValue::json).unwrap_or_default();
    let row = vec![
        round.saturating_add(1).to_string(),
        count("workers").to_string(),
        count("accepted").to_string(),
        format!("{:.4}", loss("loss_before")),
        format!("{:.4}", loss("loss_after")),
        void.as_str().unwrap_or("-").to_owned(),
    ];
    let json = json!({
        "round": round,
        "workers": count("workers"),
        "accepted": count("accepted"),
        "void": void,
        "loss_before": loss("loss_before"),
        "loss_after": loss("loss_after"),
        "weights": record.hash_field("weights").unwrap_or_default(),
    });
    (row, json)
}

#[cfg(test)]
mod tests {
    use crate::test_runtime::assert_storage;

    #[test]
    fn names_of_the_records_exist_in_the_runtime() {
        let fields = ["workers", "accepted", "void", "loss_before", "loss_after", "weights"];
        assert_storage("Training", "Rounds", &fields);
    }
}
