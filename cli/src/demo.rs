// SPDX-License-Identifier: GPL-3.0-only
//! The whole way on one machine: four validators, a dataset, a model, training rounds in which all of
//! them work, and a paid answer that the others have checked.

use crate::{
    args::{self, Demo, Promotion},
    chain::{signer, Chain},
    commands::{dataset, infer, model, train},
    corpus::{self, CorpusFile},
    error::{Error, Result},
    localnet::{find_node, free_base_port, stop_signal, Network, Settings},
    output::Output,
    weights,
};
use agorai_primitives::{
    job::Sampling,
    model::Architecture,
    training::{Compression, Recipe},
};
use serde_json::{json, Value};
use std::{collections::BTreeSet, path::Path, time::Duration};
use tokio::time::{sleep, timeout, Instant};

const VALIDATORS: u16 = 4;
/// Least bytes of the default corpus.
const DEFAULT_CORPUS_BYTES: usize = 300_000;
/// Seed of the first weights.
const SEED: u64 = 7;
/// Tokens of the answer.
const ANSWER_TOKENS: u32 = 48;

/// Runs the demo in a temporary folder, which is kept and named if it fails.
pub async fn run(command: &Demo, out: &Output) -> Result<()> {
    let node = find_node(command.node.as_deref())?;
    let text = corpus_of(command.text.as_deref(), command.repo.as_deref())?;
    let folder = tempfile::Builder::new()
        .prefix("agorai-demo-")
        .tempdir()
        .map_err(|e| Error::failed("NoFolder", format!("cannot make a folder: {e}")))?;
    let base_port = match command.base_port {
        Some(port) => port,
        None => free_base_port(VALIDATORS)?,
    };
    let settings = Settings {
        node,
        validators: VALIDATORS,
        dir: folder.path().to_path_buf(),
        base_port,
        extra: Vec::new(),
        binaries: Vec::new(),
    };
    let limit = Duration::from_secs(command.timeout);
    let whole = tokio::select! {
        done = timeout(limit, whole_way(&settings, text, command, out)) => done.unwrap_or_else(|_| {
            Err(Error::unreachable("Timeout", format!("not done after {} s", limit.as_secs())))
        }),
        stopped = stop_signal() => {
            stopped.and_then(|()| Err(Error::failed("Interrupted", "stopped by a signal")))
        }
    };
    match whole {
        Ok(result) => {
            folder
                .close()
                .map_err(|e| Error::failed("FolderStays", format!("cannot remove the demo's folder: {e}")))?;
            out.object(&result);
            Ok(())
        }
        Err(error) => {
            let kept = folder.keep();
            out.note(format!(
                "the network's folder is kept, with the nodes' logs: {}",
                kept.display()
            ));
            Err(error)
        }
    }
}

/// The corpus: a given text, or the repository's own docs and sources.
fn corpus_of(text: Option<&Path>, repo: Option<&Path>) -> Result<CorpusFile> {
    if let Some(text) = text {
        return CorpusFile::read(text);
    }
    let root = match repo {
        Some(repo) => repo.to_path_buf(),
        None => std::env::current_dir()
            .ok()
            .and_then(|here| corpus::repository_root(&here))
            .ok_or_else(|| {
                Error::usage("NoRepository", "this folder is in no repository")
                    .hint("name a repository with --repo or a text with --text")
            })?,
    };
    let file = corpus::gather(&root)?;
    if file.text.len() < DEFAULT_CORPUS_BYTES {
        return Err(Error::usage(
            "CorpusTooSmall",
            format!(
                "{} has {} bytes of docs and sources; the demo wants {DEFAULT_CORPUS_BYTES}",
                root.display(),
                file.text.len()
            ),
        )
        .hint("give a text with --text"));
    }
    Ok(file)
}

/// As much training as a corpus of `bytes` gives four workers on sequences of their own.
fn recipe_for(bytes: u64) -> Recipe {
    let longer = [96, 48, 24].map(|inner_steps| Recipe {
        inner_steps,
        segment_steps: inner_steps / 3,
        // Three rounds are too few for a sparser one to catch up (docs/training.md).
        compression: Compression::TopK { top: 1024 },
        ..Recipe::SMALL
    });
    let fits = |recipe: &Recipe| corpus::bytes_needed(recipe, VALIDATORS.into()) <= bytes;
    longer.into_iter().find(fits).unwrap_or(Recipe::SMALL)
}

/// All steps; the result is the last line's object.
async fn whole_way(settings: &Settings, text: CorpusFile, command: &Demo, out: &Output) -> Result<Value> {
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(command.timeout);
    out.note(format!(
        "1/6 a network of {VALIDATORS} validators in {}",
        settings.dir.display()
    ));
    let mut network = Network::start(settings, out).await?;
    let chain = Chain::connect(&network.url(0)).await?;
    wait_for_finality(&mut network, &chain, 1, deadline, out).await?;

    let owner = signer::from_uri("//Alice")?;
    let contributor = signer::from_uri("//Bob")?;
    let user = signer::from_uri("//Eve")?;
    let recipe = recipe_for(text.text.len() as u64);
    out.note(format!("2/6 Bob's dataset of {} bytes", text.text.len()));
    let publication = dataset::Publication {
        name: "demo corpus".to_owned(),
        licence: "Apache-2.0 AND GPL-3.0-only".to_owned(),
        parent: None,
        manifest: None,
        owner_only: false,
        files: vec![text],
    };
    let architecture = Architecture::SMALL;
    out.note(format!("3/6 Alice's model of {} parameters", architecture.parameters()));
    let creation = model::Creation {
        name: "demo model".to_owned(),
        weights: weights::fresh(&architecture, SEED)?,
        architecture,
        price: args::DEFAULT_PRICE,
        promotion: Promotion::LossFell,
    };
    // Two accounts, so neither waits for the other's transaction.
    let (published, created) = tokio::try_join!(
        dataset::publish(&chain, &contributor, &publication, out),
        model::create(&chain, &owner, &creation, out),
    )?;
    out.note(format!(
        "    dataset {}, {} shards, root {}",
        published.dataset,
        published.shards.len(),
        published.root
    ));

    out.note(format!(
        "4/6 training, {} rounds of {} steps on {VALIDATORS} validators",
        command.rounds, recipe.inner_steps
    ));
    let plan = train::Plan {
        model: created.model,
        datasets: vec![published.dataset],
        rounds: command.rounds,
        recipe,
        reward: args::DEFAULT_REWARD,
        shares: args::DEFAULT_SHARES,
        minimum_workers: u32::from(VALIDATORS) - 1,
    };
    let started = train::start(&chain, &owner, &plan, out).await?;
    let outcome = train::watch(&chain, started.plan, plan.rounds, started.block, deadline, out).await?;
    out.line(train::rounds_table(&outcome.rounds));
    check_training(&chain, &created, &outcome, command.rounds).await?;

    out.note("5/6 a paid inference");
    let mut nodes = Vec::new();
    for i in 0..network.len() {
        nodes.push(Chain::connect(&network.url(i)).await?.rpc().clone());
    }
    let question = infer::Question {
        model: created.model,
        prompt: command.prompt.clone(),
        sampling: Sampling {
            max_tokens: ANSWER_TOKENS,
            temperature_milli: 1_000,
            top_k: 40,
            top_p_milli: 950,
            seed: SEED,
            stop: None,
        },
        max_fee: None,
    };
    let asked = infer::ask(&chain, &user, &question, out).await?;
    let answer = infer::settle(&chain, &nodes, &asked, deadline, out).await?;
    out.line(format!(
        "\nprompt: {}\nanswer: {}\n\n{}\n",
        command.prompt,
        answer.text(),
        infer::split_table(&answer)
    ));
    check_answer(&answer)?;

    let finalized = chain.finalized().await?;
    out.note("6/6 done");
    network.check_alive()?;
    network.stop(Duration::ZERO).await;
    Ok(summary(&outcome, &answer, finalized, begun.elapsed()))
}

/// The last line of the demo.
fn summary(outcome: &train::Outcome, answer: &infer::Answer, finalized: u32, took: Duration) -> Value {
    json!({
        "ok": true,
        "validators": VALIDATORS,
        "rounds": outcome.rounds.len(),
        "loss_first": outcome.rounds.first().map(|round| round.loss_before),
        "loss_last": outcome.rounds.last().map(|round| round.loss_after),
        "weights": outcome.weights,
        "answer": answer.text(),
        "claim_settled": answer.claim_settled,
        "receipts": answer.receipts,
        "fee": infer::split_json(answer),
        "finalized_block": finalized,
        "seconds": took.as_secs(),
    })
}

/// Waits until the chain has finalised block `height`.
pub async fn wait_for_finality(
    network: &mut Network,
    chain: &Chain,
    height: u32,
    deadline: Instant,
    out: &Output,
) -> Result<()> {
    let spinner = out.spinner("waiting for finality");
    let done = loop {
        if let Err(e) = network.check_alive() {
            break Err(e);
        }
        match chain.finalized().await {
            Ok(block) if block >= height => break Ok(()),
            Ok(_) if Instant::now() >= deadline => {
                break Err(Error::unreachable(
                    "NoFinality",
                    format!("block {height} is not final in time"),
                ))
            }
            Ok(_) => sleep(Duration::from_millis(300)).await,
            Err(e) => break Err(e),
        }
    };
    spinner.finish_and_clear();
    done
}

/// That the training did what the demo promises: all rounds, all validators, the last version live.
async fn check_training(chain: &Chain, created: &model::Created, outcome: &train::Outcome, rounds: u32) -> Result<()> {
    let not = |what: String| Err(Error::failed("TrainingIncomplete", what));
    if outcome.rounds.len() != rounds as usize {
        return not(format!(
            "{} of {rounds} rounds are complete, void are {:?}",
            outcome.rounds.len(),
            outcome.void
        ));
    }
    let workers: BTreeSet<&String> = outcome.rounds.iter().flat_map(|r| &r.workers).collect();
    if workers.len() != usize::from(VALIDATORS) {
        return not(format!("{} of {VALIDATORS} validators have trained", workers.len()));
    }
    let info = model::info(chain, created.model).await?;
    let live = match info.live {
        Some(version) => model::version_weights(chain, created.model, version).await?,
        None => None,
    };
    if live.as_deref() != Some(outcome.weights.as_str()) {
        return not(format!(
            "the last weights {} are not live, but {}",
            outcome.weights,
            live.unwrap_or_else(|| "none".to_owned())
        ));
    }
    Ok(())
}

/// That the inference did what the demo promises.
fn check_answer(answer: &infer::Answer) -> Result<()> {
    let not = |what: &str| Err(Error::failed("InferenceIncomplete", what));
    if answer.output.is_empty() {
        return not("the answer is empty");
    }
    if !answer.claim_settled || answer.receipts == 0 {
        return not("no other validator has confirmed the answer");
    }
    let split: u128 = answer.split.iter().map(|(_, part)| part).sum();
    if answer.fee == 0 || split != answer.fee {
        return not("the fee is not split among those who earned it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn summary_has_exactly_the_promised_keys() {
        let outcome = train::Outcome {
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
            reassigned: Vec::new(),
            block: 9,
        };
        let summary = summary(&outcome, &answer, 9, Duration::from_secs(1));
        let keys: BTreeSet<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
        let promised = BTreeSet::from([
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
        assert_eq!(keys, promised);
        assert!(check_answer(&answer).is_ok());
        let unpaid = infer::Answer {
            split: Vec::new(),
            ..answer
        };
        assert!(check_answer(&unpaid).is_err());
    }
}
