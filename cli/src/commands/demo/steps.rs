// SPDX-License-Identifier: GPL-3.0-only
//! The steps of the demo.

use super::checks::{check_answer, check_training};
use crate::{
    args::{self, Demo, Promotion},
    chain::{rpc::Rpc, signer, Chain},
    commands::{dataset, infer, model, train},
    corpus::{self, CorpusFile},
    deadline::Deadline,
    error::Result,
    localnet::{Network, Settings},
    output::Output,
    weights,
};
use agorai_primitives::{
    job::Sampling,
    model::Architecture,
    training::{Compression, Recipe},
    ModelId,
};
use serde_json::{json, Value};
use std::time::Duration;
use tokio::time::Instant;

/// Number of validators of the demo's network.
pub const VALIDATORS: u16 = 4;
/// Seed of the initial weights and of the sampling.
const SEED: u64 = 7;
/// Maximum number of tokens of the answer.
const ANSWER_TOKENS: u32 = 48;

/// Runs all steps and returns the object of the demo's last line.
pub async fn run(
    settings: &Settings,
    text: CorpusFile,
    command: &Demo,
    deadline: Deadline,
    out: &Output,
) -> Result<Value> {
    let started_at = Instant::now();
    out.note(format!(
        "1/6 a network of {VALIDATORS} validators in {}",
        settings.dir.display()
    ));
    let mut network = Network::start(settings, out).await?;
    let chain = Chain::connect(&network.url(0), deadline).await?;
    network.wait_for_finality(&chain, 1, deadline, out).await?;

    let (completed, model) = train(&chain, text, command.rounds, deadline, out).await?;

    out.note("5/6 a paid inference");
    let mut nodes = Vec::new();
    for i in 0..network.len() {
        nodes.push(Rpc::connect(&network.url(i), deadline).await?);
    }
    let user = signer::from_uri("//Eve")?;
    let request = request(model, &command.prompt);
    let submitted = infer::submit_checked(&chain, &user, &request, deadline, out).await?;
    let answer = infer::wait_for_settlement(&chain, &nodes, &submitted, deadline, out).await?;
    out.line(format!(
        "\nprompt: {}\nanswer: {}\n\n{}\n",
        command.prompt,
        answer.text(),
        infer::fee_table(&answer)
    ));
    check_answer(&answer)?;

    let finalized = chain.finalized().await?;
    out.note("6/6 done");
    network.check_alive()?;
    network.stop(Duration::ZERO).await;
    Ok(summary(&completed, &answer, finalized, started_at.elapsed()))
}

/// Publishes Bob's dataset, creates Alice's model and trains it for `rounds` rounds.
async fn train(
    chain: &Chain,
    text: CorpusFile,
    rounds: u32,
    deadline: Deadline,
    out: &Output,
) -> Result<(train::CompletedPlan, ModelId)> {
    let owner = signer::from_uri("//Alice")?;
    let contributor = signer::from_uri("//Bob")?;
    let recipe = recipe_for(text.text.len() as u64);
    out.note(format!("2/6 Bob's dataset of {} bytes", text.text.len()));
    let dataset = dataset::NewDataset {
        name: "demo corpus".to_owned(),
        licence: "Apache-2.0 AND GPL-3.0-only".to_owned(),
        parent: None,
        manifest: None,
        owner_only: false,
        files: vec![text],
    };
    let architecture = Architecture::SMALL;
    out.note(format!("3/6 Alice's model of {} parameters", architecture.parameters()));
    let model = model::NewModel {
        name: "demo model".to_owned(),
        weights: weights::initialize(&architecture, SEED)?,
        architecture,
        price: args::DEFAULT_PRICE,
        promotion: Promotion::LossFell,
    };
    // Two accounts, so that the nonces are independent and both calls can be pending.
    let (published, created) = tokio::try_join!(
        dataset::publish(chain, &contributor, &dataset, out),
        model::create(chain, &owner, &model, out),
    )?;
    out.note(format!(
        "    dataset {}, {} shards, root {}",
        published.dataset,
        published.shards.len(),
        published.root
    ));

    out.note(format!(
        "4/6 training, {rounds} rounds of {} steps on {VALIDATORS} validators",
        recipe.inner_steps
    ));
    let plan = train::NewPlan {
        model: created.model,
        datasets: vec![published.dataset],
        rounds,
        recipe,
        reward: args::DEFAULT_REWARD,
        shares: args::DEFAULT_SHARES,
        minimum_workers: u32::from(VALIDATORS) - 1,
    };
    let started = train::start(chain, &owner, &plan, deadline, out).await?;
    let completed = train::watch(chain, started.plan, rounds, started.block, deadline, out).await?;
    out.line(train::rounds_table(&completed.rounds));
    check_training(chain, created.model, &completed, rounds, VALIDATORS).await?;
    Ok((completed, created.model))
}

/// Returns the recipe with the most steps for which a corpus of `bytes` has a sequence per step of each worker.
fn recipe_for(bytes: u64) -> Recipe {
    let longer = [96, 48, 24].map(|inner_steps| Recipe {
        inner_steps,
        segment_steps: inner_steps / 3,
        // A sparser update loses more than three rounds recover (docs/training.md).
        compression: Compression::TopK { top: 1024 },
        ..Recipe::SMALL
    });
    let fits = |recipe: &Recipe| corpus::bytes_needed(recipe, VALIDATORS.into()) <= bytes;
    longer.into_iter().find(fits).unwrap_or(Recipe::SMALL)
}

fn request(model: ModelId, prompt: &str) -> infer::Request {
    infer::Request {
        model,
        prompt: prompt.to_owned(),
        sampling: Sampling {
            max_tokens: ANSWER_TOKENS,
            temperature_milli: 1_000,
            top_k: 40,
            top_p_milli: 950,
            seed: SEED,
            stop: None,
        },
        max_fee: None,
    }
}

/// Returns the object of the demo's last line.
fn summary(completed: &train::CompletedPlan, answer: &infer::Answer, finalized: u32, duration: Duration) -> Value {
    json!({
        "ok": true,
        "validators": VALIDATORS,
        "rounds": completed.rounds.len(),
        "loss_first": completed.rounds.first().map(|round| round.loss_before),
        "loss_last": completed.rounds.last().map(|round| round.loss_after),
        "weights": completed.weights,
        "answer": answer.text(),
        "claim_settled": answer.claim_settled,
        "receipts": answer.receipts,
        "fee": infer::fee_json(answer),
        "finalized_block": finalized,
        "seconds": duration.as_secs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn recipe_is_valid_and_fits_the_corpus() {
        for bytes in [0, 30_000, 60_000, 300_000, 1 << 26] {
            let recipe = recipe_for(bytes);
            assert_eq!(recipe.validate(), Ok(()));
            let fits = corpus::bytes_needed(&recipe, 4) <= bytes;
            assert!(fits || recipe == Recipe::SMALL, "{bytes}: {recipe:?}");
        }
        assert_eq!(recipe_for(300_000).inner_steps, 96);
    }

    #[test]
    fn summary_has_exactly_the_documented_keys() {
        let completed = train::CompletedPlan {
            rounds: Vec::new(),
            void: Vec::new(),
            weights: "00".to_owned(),
            block: 9,
        };
        let answer = infer::Answer {
            output: b"hello".to_vec(),
            executor: String::new(),
            fee: 3,
            split: vec![("executor".to_owned(), 3)],
            receipts: 3,
            claim_settled: true,
            refused: Vec::new(),
            block: 9,
        };
        let summary = summary(&completed, &answer, 9, Duration::from_secs(1));
        let keys: BTreeSet<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = BTreeSet::from([
            "ok",
            "validators",
            "rounds",
            "loss_first",
            "loss_last",
            "weights",
            "answer",
            "claim_settled",
            "receipts",
            "fee",
            "finalized_block",
            "seconds",
        ]);
        assert_eq!(keys, documented);
        assert!(check_answer(&answer).is_ok());
        let unpaid = infer::Answer {
            split: Vec::new(),
            ..answer
        };
        assert!(check_answer(&unpaid).is_err());
    }
}
