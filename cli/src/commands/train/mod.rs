// SPDX-License-Identifier: GPL-3.0-only
//! `agorai train`: starts and watches training plans.

mod plan;
mod report;
mod watch;

pub use plan::{start, NewPlan, StartedPlan};
pub use report::rounds_table;
pub use watch::{watch, CompletedPlan, CompletedRound};

use super::connection::keypair;
use crate::{
    args::{Cli, Train},
    chain::Chain,
    deadline::Deadline,
    error::Result,
    output::Output,
};
use agorai_primitives::training::Recipe;
use serde_json::json;

/// Runs a command of this group. The deadline covers everything from the connection to the end of the plan.
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
            let deadline = Deadline::after_seconds(*timeout);
            let plan = NewPlan {
                model: *model,
                datasets: datasets.clone(),
                rounds: *rounds,
                recipe: Recipe::SMALL,
                reward: *reward,
                shares: *shares,
                minimum_workers: *minimum_workers,
            };
            let signer = keypair(cli)?;
            let chain = Chain::connect(&cli.url, deadline).await?;
            let started = start(&chain, &signer, &plan, deadline, out).await?;
            let message = format!("started plan {}", started.plan);
            if *detach {
                out.result(
                    &json!({"ok": true, "plan": started.plan, "block": started.block}),
                    message,
                );
                return Ok(());
            }
            out.note(message);
            let completed = watch(&chain, started.plan, *rounds, started.block, deadline, out).await?;
            report::print_completed(started.plan, &completed, out);
        }
        Train::Watch { plan, timeout } => {
            let deadline = Deadline::after_seconds(*timeout);
            let chain = Chain::connect(&cli.url, deadline).await?;
            let record = plan::read(&chain, *plan, deadline).await?;
            if record.running {
                watch(&chain, *plan, record.rounds, record.height, deadline, out).await?;
            }
            report::print_record(&chain, *plan, deadline, out).await?;
        }
    }
    Ok(())
}
