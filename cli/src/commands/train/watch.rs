// SPDX-License-Identifier: GPL-3.0-only
//! Following a plan until it ends.

use crate::{
    chain::{value::ReadValue, Chain, Event, EventStream},
    commands::model::nats,
    deadline::{Awaited, Deadline},
    error::{Error, Result},
    output::Output,
};
use agorai_primitives::{PlanId, RoundIndex, VersionIndex};
use indicatif::ProgressBar;
use std::collections::BTreeMap;

/// A completed round.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletedRound {
    /// The index, from 0.
    pub round: RoundIndex,
    /// Accounts of the workers that contributed, without duplicates.
    pub workers: Vec<String>,
    /// The held-out loss before the round, in nats per token.
    pub loss_before: f64,
    /// The held-out loss after the round, in nats per token.
    pub loss_after: f64,
    /// The blob id of the new weights.
    pub weights: String,
    /// The version of the new weights.
    pub version: VersionIndex,
}

/// A completed plan.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletedPlan {
    /// The completed rounds, in order.
    pub rounds: Vec<CompletedRound>,
    /// The void rounds and their reasons.
    pub void: Vec<(RoundIndex, String)>,
    /// The blob id of the final weights.
    pub weights: String,
    /// Height of the block in which the plan completed.
    pub block: u32,
}

/// Follows a plan from block `from` until it has completed, and prints its rounds. A cancelled or abandoned plan is
/// an error.
pub async fn watch(
    chain: &Chain,
    plan: PlanId,
    rounds: u32,
    from: u32,
    deadline: Deadline,
    out: &Output,
) -> Result<CompletedPlan> {
    let bar = out.bar("training", rounds.into(), false);
    let mut progress = Progress {
        plan,
        rounds,
        workers: BTreeMap::new(),
        completed: Vec::new(),
        void: Vec::new(),
        bar: &bar,
        out,
    };
    let outcome = follow(chain, from, deadline, &mut progress).await;
    bar.finish_and_clear();
    outcome
}

async fn follow(chain: &Chain, from: u32, deadline: Deadline, progress: &mut Progress<'_>) -> Result<CompletedPlan> {
    let plan = progress.plan;
    let awaited = Awaited::new(
        format!("plan {plan} to complete"),
        format!("the plan continues on the chain; watch it again with: agorai train watch {plan}"),
    );
    let mut events = EventStream::new(chain, from);
    loop {
        let (block, event) = events.next(deadline, &awaited).await?;
        if event.pallet == "Training" && event.fields.uint_field("plan") == Some(plan) {
            if let Some(completed) = progress.apply(block, &event)? {
                return Ok(completed);
            }
        }
    }
}

/// The events of a plan so far.
struct Progress<'a> {
    plan: PlanId,
    rounds: u32,
    workers: BTreeMap<RoundIndex, Vec<String>>,
    completed: Vec<CompletedRound>,
    void: Vec<(RoundIndex, String)>,
    bar: &'a ProgressBar,
    out: &'a Output,
}

impl Progress<'_> {
    fn title(&self, round: RoundIndex) -> String {
        format!("round {} of {}", round.saturating_add(1), self.rounds)
    }

    /// Applies the next event of the plan; returns the outcome when it has completed.
    fn apply(&mut self, block: u32, event: &Event) -> Result<Option<CompletedPlan>> {
        match event.name.as_str() {
            "PhaseChanged" => {
                let phase = event
                    .fields
                    .field("phase")
                    .and_then(ReadValue::variant)
                    .map(|(name, _)| name.to_lowercase())
                    .unwrap_or_default();
                self.bar
                    .set_message(format!("training, {}: {phase}", self.title(event.uint("round")?)));
            }
            "Contributed" => self.contribution(event)?,
            "RoundCompleted" => self.completed_round(event)?,
            "RoundVoid" => {
                let round: RoundIndex = event.uint("round")?;
                let reason = event.fields.field("reason").map(ReadValue::json);
                let reason = reason.unwrap_or_default().to_string();
                self.bar.set_position(u64::from(round) + 1);
                self.out.note(format!("{} is void: {reason}", self.title(round)));
                self.void.push((round, reason));
            }
            name @ ("PlanCancelled" | "PlanAbandoned") => {
                return Err(Error::failed(
                    name,
                    format!("plan {} ended early; void rounds: {:?}", self.plan, self.void),
                )
                .hint("see the nodes' logs; the weights of completed rounds remain, start another plan to continue"));
            }
            "PlanCompleted" => {
                return Ok(Some(CompletedPlan {
                    rounds: std::mem::take(&mut self.completed),
                    void: std::mem::take(&mut self.void),
                    weights: event.hash("weights")?,
                    block,
                }));
            }
            _ => {}
        }
        Ok(None)
    }

    fn contribution(&mut self, event: &Event) -> Result<()> {
        let round = event.uint("round")?;
        let worker = event.hash("worker")?;
        let workers = self.workers.entry(round).or_default();
        if !workers.contains(&worker) {
            workers.push(worker);
        }
        let count = workers.len();
        self.bar
            .set_message(format!("training, {}: {count} contributions", self.title(round)));
        Ok(())
    }

    fn completed_round(&mut self, event: &Event) -> Result<()> {
        let round: RoundIndex = event.uint("round")?;
        let completed = CompletedRound {
            round,
            workers: self.workers.remove(&round).unwrap_or_default(),
            loss_before: nats(event.uint("loss_before")?),
            loss_after: nats(event.uint("loss_after")?),
            weights: event.hash("weights")?,
            version: event.uint("version")?,
        };
        self.bar.set_position(u64::from(round) + 1);
        self.out.note(format!(
            "{}: {} workers, held-out loss {:.4} -> {:.4}",
            self.title(round),
            completed.workers.len(),
            completed.loss_before,
            completed.loss_after
        ));
        self.completed.push(completed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::test_runtime::assert_event;

    #[test]
    fn names_of_the_events_exist_in_the_runtime() {
        assert_event("Training", "PhaseChanged", &["plan", "round", "phase"]);
        assert_event("Training", "Contributed", &["plan", "round", "worker"]);
        let fields = ["plan", "round", "loss_before", "loss_after", "weights", "version"];
        assert_event("Training", "RoundCompleted", &fields);
        assert_event("Training", "RoundVoid", &["plan", "round", "reason"]);
        assert_event("Training", "PlanCancelled", &["plan"]);
        assert_event("Training", "PlanAbandoned", &["plan"]);
        assert_event("Training", "PlanCompleted", &["plan", "weights"]);
    }
}
