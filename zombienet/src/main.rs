// SPDX-License-Identifier: GPL-3.0-only
//! Runs the four-node network of `network.toml` through zombienet-sdk's native provider and checks that
//! finality advances on every node, that a training round completes, and that an inference settles.
//!
//! `AGORAI_BIN` is the folder of the binaries `agorai-node` and `agorai`. `./x network-test` sets it.

use anyhow::{bail, ensure, Context, Result};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;
use zombienet_sdk::{NetworkConfig, NetworkConfigExt};

const FINALIZED: &str = "substrate_block_height{status=\"finalized\"}";
const FINALITY_S: u64 = 120;

#[tokio::main]
async fn main() -> Result<()> {
    let bin = PathBuf::from(std::env::var("AGORAI_BIN").context("AGORAI_BIN is not set: run ./x network-test")?);
    let node = bin.join("agorai-node");
    ensure!(node.is_file(), "there is no {}: run ./x build", node.display());
    let dir = std::env::temp_dir().join(format!("agorai-network-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let result = run(&bin, &node, &dir).await;
    std::fs::remove_dir_all(&dir).ok();
    result?;
    println!("3 passed, 0 failed");
    Ok(())
}

async fn run(bin: &Path, node: &Path, dir: &Path) -> Result<()> {
    let spec = dir.join("local.json");
    let status = Command::new(node)
        .args(["export-chain-spec", "--chain", "local", "--raw", "--output"])
        .arg(&spec)
        .stderr(Stdio::null())
        .status()
        .await?;
    ensure!(status.success(), "agorai-node export-chain-spec failed: {status}");

    let definition = include_str!("../network.toml")
        .replace("{{NODE}}", &node.to_string_lossy())
        .replace("{{SPEC}}", &spec.to_string_lossy())
        .replace("{{BLOBS}}", &dir.join("blobs").to_string_lossy());
    let file = dir.join("network.toml");
    std::fs::write(&file, definition)?;
    let config = NetworkConfig::load_from_toml(&file.to_string_lossy())?;
    let network = config.spawn_native().await?;

    for name in ["alice", "bob", "charlie", "dave"] {
        network
            .get_node(name)?
            .wait_metric_with_timeout(FINALIZED, |height| height >= 3.0, FINALITY_S)
            .await
            .with_context(|| format!("{name} finalised nothing in {FINALITY_S} s"))?;
    }
    println!("finality advances on four nodes");

    let url = network.get_node("alice")?.ws_uri().to_string();
    let cli = Cli {
        program: bin.join("agorai"),
        url,
    };
    let corpus = dir.join("corpus.txt");
    std::fs::write(&corpus, corpus_text())?;
    cli.run(&[
        "dataset",
        "publish",
        &corpus.to_string_lossy(),
        "--name",
        "squares",
        "--licence",
        "CC0-1.0",
    ])
    .await?;
    cli.run(&["model", "create", "--name", "square", "--size", "small", "--seed", "1"])
        .await?;
    cli.run(&["train", "start", "--model", "0", "--dataset", "0", "--rounds", "1"])
        .await?;
    let round = cli.run(&["--json", "train", "watch", "0"]).await?;
    println!("a training round completes: {round}");
    let answer = cli
        .run(&["--json", "infer", "--model", "0", "the square ", "--max-tokens", "12"])
        .await?;
    println!("an inference settles: {answer}");
    Ok(())
}

/// The `agorai` program, connected to one node.
struct Cli {
    program: PathBuf,
    url: String,
}

impl Cli {
    /// Runs a command and returns its stdout; fails if the command fails or takes more than 240 s.
    async fn run(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(["--url", &self.url])
            .args(args)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(240), output)
            .await
            .context("no answer in 240 s")??;
        if !output.status.success() {
            bail!(
                "agorai {} failed: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }
}

/// Returns 400 kB of text without repeated lines, enough sequences for four workers.
fn corpus_text() -> String {
    let mut text = String::new();
    for n in 0u32.. {
        if text.len() > 400_000 {
            break;
        }
        text.push_str(&format!(
            "The square of {n} is {}, and {n} squares make a row of {}.\n",
            n * n,
            n * 10
        ));
    }
    text
}
