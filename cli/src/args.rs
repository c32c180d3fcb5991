// SPDX-License-Identifier: GPL-3.0-only
//! What the command line looks like.

use crate::{
    chain::{signer, Chain},
    error::Result,
};
use agorai_primitives::BlobId;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use subxt_signer::sr25519::Keypair;

const EXAMPLES: &str = "\
Examples:
  agorai demo                           the whole way, on this machine, in a few minutes
  agorai localnet --dir /tmp/agora      four validators on loopback, until Ctrl-C
  agorai dataset publish book.txt --name book --licence CC0-1.0
  agorai model create --name reader
  agorai train start --model 0 --dataset 0 --rounds 3
  agorai infer --model 0 \"Once upon\" --signer //Eve

Exit codes: 0 done, 1 failed, 2 input that makes no sense (nothing was sent), 3 refused by
the chain, 4 no connection or no answer in time. Results are on stdout, progress and errors
on stderr; with --json stdout is one JSON object.";

/// Train, own and use models on the Agorai chain.
#[derive(Debug, Parser)]
#[command(name = "agorai", version, after_help = EXAMPLES)]
pub struct Cli {
    /// The node to talk to.
    #[arg(long, global = true, default_value = "ws://127.0.0.1:9944", value_name = "URL")]
    pub url: String,
    /// Print one JSON object on stdout and no progress.
    #[arg(long, global = true)]
    pub json: bool,
    /// Who signs and pays: a development account such as //Alice. Do not put real secrets on a command
    /// line: use --key-file.
    #[arg(long, global = true, default_value = "//Alice", value_name = "URI")]
    pub signer: String,
    /// A file with the signer's seed phrase or 0x-seed.
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The signer's key pair.
    pub fn keypair(&self) -> Result<Keypair> {
        match &self.key_file {
            Some(path) => signer::from_file(path),
            None => signer::from_uri(&self.signer),
        }
    }

    /// A connection to the node.
    pub async fn chain(&self) -> Result<Chain> {
        Chain::connect(&self.url).await
    }
}

/// The groups of commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish, list and withdraw training data.
    #[command(subcommand)]
    Dataset(Dataset),
    /// Create, look at, promote and retire models.
    #[command(subcommand)]
    Model(Model),
    /// Start and watch training plans.
    #[command(subcommand)]
    Train(Train),
    /// Ask a model: pay for an answer that the network checks.
    Infer(Infer),
    /// Store and fetch content-addressed bytes.
    #[command(subcommand)]
    Blob(Blob),
    /// Run a network of validators on this machine until Ctrl-C.
    Localnet(Localnet),
    /// The whole way on this machine: a network, a dataset, a model, training, a paid answer.
    Demo(Demo),
}

/// `agorai dataset`.
#[derive(Debug, Subcommand)]
pub enum Dataset {
    /// Check text files, store them as blobs with a manifest, and put their root on the chain.
    #[command(after_help = "\
Examples:
  agorai dataset publish a.txt b.txt --name tales --licence CC-BY-4.0
  agorai dataset publish new.txt --name tales --licence CC-BY-4.0 --parent 0
  agorai dataset publish a.txt --name tales --licence MIT --manifest croissant.json

A file must be UTF-8 text of at most 64 MiB. The licence is an SPDX expression. Without --manifest a
Croissant 1.1 manifest is made; a manifest of your own must list exactly the files, with sha256.")]
    Publish {
        /// The text files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The dataset's name, at most 64 bytes.
        #[arg(long)]
        name: String,
        /// Its SPDX licence, such as CC0-1.0.
        #[arg(long, visible_alias = "license")]
        licence: String,
        /// The dataset of which this is a newer version.
        #[arg(long, value_name = "ID")]
        parent: Option<u32>,
        /// Your own Croissant manifest.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// Let only yourself train on it.
        #[arg(long)]
        owner_only: bool,
    },
    /// All datasets.
    List,
    /// Allow no new training on a dataset. What was trained on it stays.
    Withdraw {
        /// The dataset.
        id: u32,
    },
}

/// Sizes of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Size {
    /// Bytes, about 0.9 million parameters, 256 positions.
    Small,
}

/// Who decides that a new version becomes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promotion {
    /// The owner, by `agorai model promote`.
    Owner,
    /// Nobody: it is live if the held-out loss fell.
    LossFell,
}

/// `agorai model`.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// Register a model with its first weights, made from a seed or read from a file.
    #[command(after_help = "\
Examples:
  agorai model create --name reader
  agorai model create --name reader --seed 7 --price 5000000000 --promotion owner
  agorai model create --name reader --weights start.safetensors")]
    Create {
        /// The model's name, at most 64 bytes.
        #[arg(long)]
        name: String,
        /// Its size.
        #[arg(long, value_enum, default_value = "small")]
        size: Size,
        /// Seed of the first weights; the same seed gives the same weights everywhere.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// First weights in a safetensors file, with Hugging Face's names of a Llama.
        #[arg(long, value_name = "FILE", conflicts_with = "seed")]
        weights: Option<PathBuf>,
        /// Price of a token of prompt or answer, in the smallest unit.
        #[arg(long, default_value_t = DEFAULT_PRICE)]
        price: u128,
        /// Who decides that a trained version becomes live.
        #[arg(long, value_enum, default_value = "loss-fell")]
        promotion: Promotion,
    },
    /// All models.
    List,
    /// A model and its versions.
    Show {
        /// The model.
        id: u32,
    },
    /// Make a version live.
    Promote {
        /// The model.
        id: u32,
        /// The version.
        version: u32,
    },
    /// Serve and train a model no longer.
    Retire {
        /// The model.
        id: u32,
    },
}

/// `agorai train`.
#[derive(Debug, Subcommand)]
pub enum Train {
    /// Start a training plan on the live version and watch it.
    #[command(after_help = "\
Examples:
  agorai train start --model 0 --dataset 0 --rounds 3
  agorai train start --model 0 --dataset 0 --dataset 2 --rounds 10 --reward 5000000000000 --detach

In each round every validator that enrols trains on data of its own; contributions are audited and
scored, and the new weights are accepted by more than 2/3 of the validators.")]
    Start {
        /// The model.
        #[arg(long, value_name = "ID")]
        model: u32,
        /// Datasets to train on.
        #[arg(long = "dataset", required = true, value_name = "ID")]
        datasets: Vec<u32>,
        /// Rounds.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Native tokens paid for each round, in the smallest unit; held from now on.
        #[arg(long, default_value_t = DEFAULT_REWARD)]
        reward: u128,
        /// New shares of the model issued for each round.
        #[arg(long, default_value_t = DEFAULT_SHARES)]
        shares: u128,
        /// Fewest validators with which a round counts.
        #[arg(long, default_value_t = 3)]
        minimum_workers: u32,
        /// Do not wait for the rounds.
        #[arg(long)]
        detach: bool,
        /// Seconds to wait for the end of the plan.
        #[arg(long, default_value_t = 3_600)]
        timeout: u64,
    },
    /// Watch a plan until it ends.
    Watch {
        /// The plan.
        plan: u32,
        /// Seconds to wait for the end of the plan.
        #[arg(long, default_value_t = 3_600)]
        timeout: u64,
    },
}

/// Price of a token unless given otherwise, in the smallest unit: a thousandth of a native token.
pub const DEFAULT_PRICE: u128 = 1_000_000_000;
/// Reward of a round unless given otherwise, in the smallest unit: one native token.
pub const DEFAULT_REWARD: u128 = 1_000_000_000_000;
/// Shares of a round unless given otherwise.
pub const DEFAULT_SHARES: u128 = 1_000;

/// `agorai infer`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agorai infer --model 0 \"Once upon\"
  agorai infer --model 0 \"Once upon\" --max-tokens 32 --temperature 0.8 --top-k 40 --seed 7
  agorai --json infer --model 0 \"Once upon\" --signer //Eve

Provisional text appears on stderr while it is made, if this node makes it; the answer on stdout is the
one that other validators have checked. What --max-fee offers beyond the fee is given back.")]
pub struct Infer {
    /// The model.
    #[arg(long, value_name = "ID")]
    pub model: u32,
    /// The prompt, at most 8192 bytes and, with the answer, what the model's context holds.
    #[arg(allow_hyphen_values = true)]
    pub prompt: String,
    /// Most tokens of the answer.
    #[arg(long, default_value_t = 64)]
    pub max_tokens: u32,
    /// Temperature; 0 = always the most likely token.
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Keep the k most likely tokens; 0 = all.
    #[arg(long, default_value_t = 0)]
    pub top_k: u32,
    /// Keep the most likely tokens up to this probability; 1 = all.
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f64,
    /// Seed of the sampling; the same seed gives the same answer.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Most that you pay, in the smallest unit; by default what the price asks for prompt and answer.
    #[arg(long)]
    pub max_fee: Option<u128>,
    /// Seconds to wait for the settlement.
    #[arg(long, default_value_t = 600)]
    pub timeout: u64,
}

/// `agorai blob`.
#[derive(Debug, Subcommand)]
pub enum Blob {
    /// Store a file (at most 64 MiB) with the node; prints the blob's name.
    Put {
        /// The file.
        file: PathBuf,
    },
    /// Fetch a blob and check that it is the right one.
    Get {
        /// The blob's name, 64 hexadecimal digits.
        id: BlobId,
        /// Where to write it.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `agorai localnet`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  agorai localnet --validators 4 --dir /tmp/agora --base-port 30400

Every validator has its own keys, database, blobs and log (DIR/NAME/node.log). The first one's RPC is at
base port + 100; point agorai or polkadot.js there. Starting again with the same DIR goes on where it was.")]
pub struct Localnet {
    /// Validators: 1, 3 or 4. Of two, none may be missing for anything to become final.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=4))]
    pub validators: u16,
    /// Folder of the network.
    #[arg(long)]
    pub dir: PathBuf,
    /// Ports: base + i between nodes, base + 100 + i for RPC, base + 200 + i for Prometheus.
    #[arg(long, default_value_t = 30_400, value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    pub base_port: u16,
    /// The agorai-node binary; by default $AGORAI_NODE, then the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
}

/// `agorai demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agorai demo
  agorai demo --text my_corpus.txt --prompt \"It was\" --rounds 5

The last line is one JSON object. The network's folder is removed in the end; after a failure it is kept,
with the nodes' logs, and named.")]
pub struct Demo {
    /// The corpus, a UTF-8 text; by default the docs and sources of the repository.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// The repository whose docs and sources are the corpus where no --text is given; by default the
    /// one in which this is run.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// The prompt of the paid inference.
    #[arg(long, default_value = "// The chain ", allow_hyphen_values = true)]
    pub prompt: String,
    /// Training rounds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// The agorai-node binary; by default $AGORAI_NODE, then the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
    /// First of the ports to use; by default free ones are looked for.
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,
    /// Seconds after which to give up.
    #[arg(long, default_value_t = 900)]
    pub timeout: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_are_read_before_and_after_the_command() {
        let cli = Cli::try_parse_from(["agorai", "--json", "blob", "put", "f", "--url", "ws://h:1"]).unwrap();
        assert!(cli.json && cli.url == "ws://h:1");
        assert!(Cli::try_parse_from(["agorai", "blob", "get", "xyz", "-o", "f"]).is_err());
        assert!(Cli::try_parse_from(["agorai", "dataset", "publish", "--name", "n"]).is_err());
    }
}
