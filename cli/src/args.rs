// SPDX-License-Identifier: GPL-3.0-only
//! The options and the help of the command line.

use agorai_primitives::BlobId;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  agorai demo                           all of it on this machine, in a few minutes
  agorai localnet --dir /tmp/agora      four validators on loopback, until Ctrl-C
  agorai dataset publish book.txt --name book --licence CC0-1.0
  agorai model create --name reader
  agorai train start --model 0 --dataset 0 --rounds 3
  agorai infer --model 0 \"Once upon\" --signer //Eve

Exit codes: 0 success, 1 failure, 2 invalid input (nothing was sent), 3 refused by the chain,
4 no connection or no answer in time. Results are on stdout, progress and errors on stderr;
with --json stdout is one JSON object.";

/// Train, own and use models on the Agorai chain.
#[derive(Debug, Parser)]
#[command(name = "agorai", version, after_help = EXAMPLES)]
pub struct Cli {
    /// RPC URL of the node.
    #[arg(long, global = true, default_value = "ws://127.0.0.1:9944", value_name = "URL")]
    pub url: String,
    /// Print the result as one JSON object, and no progress.
    #[arg(long, global = true)]
    pub json: bool,
    /// Account that signs and pays, such as the development account //Alice.
    ///
    /// Do not put real secrets on a command line: use --key-file.
    #[arg(long, global = true, default_value = "//Alice", value_name = "URI")]
    pub signer: String,
    /// File with the signer's seed phrase or 0x-seed.
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The groups of commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish, list and withdraw training data.
    #[command(subcommand)]
    Dataset(Dataset),
    /// Create, list, show, promote and retire models.
    #[command(subcommand)]
    Model(Model),
    /// Start and watch training plans.
    #[command(subcommand)]
    Train(Train),
    /// Pay for an answer of a model, which other validators check.
    Infer(Infer),
    /// Store and fetch content-addressed blobs.
    #[command(subcommand)]
    Blob(Blob),
    /// Run a network of validators on this machine until Ctrl-C.
    Localnet(Localnet),
    /// Run a network, a dataset, a model, training and a paid answer on this machine.
    Demo(Demo),
}

/// `agorai dataset`.
#[derive(Debug, Subcommand)]
pub enum Dataset {
    /// Check text files, store them as blobs, and register them as a dataset on the chain.
    #[command(after_help = "\
Examples:
  agorai dataset publish a.txt b.txt --name tales --licence CC-BY-4.0
  agorai dataset publish new.txt --name tales --licence CC-BY-4.0 --parent 0
  agorai dataset publish a.txt --name tales --licence MIT --manifest croissant.json

A file must be UTF-8 text of at most 64 MiB. The licence is an SPDX expression. Without --manifest a
Croissant 1.1 manifest is generated; your own manifest must list exactly the files, with sha256.")]
    Publish {
        /// Text files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Name of the dataset, at most 64 bytes.
        #[arg(long)]
        name: String,
        /// SPDX licence expression, such as CC0-1.0.
        #[arg(long, visible_alias = "license")]
        licence: String,
        /// Dataset of which this is a newer version.
        #[arg(long, value_name = "ID")]
        parent: Option<u32>,
        /// Your own Croissant manifest.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// Allow only the owner to train on it.
        #[arg(long)]
        owner_only: bool,
    },
    /// List all datasets.
    List,
    /// Withdraw a dataset from new training; models trained on it remain.
    Withdraw {
        /// Index of the dataset.
        id: u32,
    },
}

/// Sizes of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Size {
    /// 256 byte tokens, about 0.9 million parameters, a context of 256 tokens.
    Small,
}

/// The rule by which a trained version becomes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promotion {
    /// By the owner, with `agorai model promote`.
    Owner,
    /// Automatic: it becomes live if its held-out loss is lower.
    LossFell,
}

/// `agorai model`.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// Register a model with initial weights from a seed or a file.
    #[command(after_help = "\
Examples:
  agorai model create --name reader
  agorai model create --name reader --seed 7 --price 5000000000 --promotion owner
  agorai model create --name reader --weights start.safetensors")]
    Create {
        /// Name of the model, at most 64 bytes.
        #[arg(long)]
        name: String,
        /// Size of the architecture.
        #[arg(long, value_enum, default_value = "small")]
        size: Size,
        /// Seed of the initial weights; the same seed gives the same weights on every machine.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Initial weights: a safetensors file with the tensor names of a Hugging Face Llama model.
        #[arg(long, value_name = "FILE", conflicts_with = "seed")]
        weights: Option<PathBuf>,
        /// Price per token of prompt and answer, in the smallest unit.
        #[arg(long, default_value_t = DEFAULT_PRICE)]
        price: u128,
        /// Rule by which a trained version becomes live.
        #[arg(long, value_enum, default_value = "loss-fell")]
        promotion: Promotion,
    },
    /// List all models.
    List,
    /// Show a model and its versions.
    Show {
        /// Index of the model.
        id: u32,
    },
    /// Make a version live.
    Promote {
        /// Index of the model.
        id: u32,
        /// Index of the version.
        version: u32,
    },
    /// Retire a model: it is not served or trained again.
    Retire {
        /// Index of the model.
        id: u32,
    },
}

/// `agorai train`.
#[derive(Debug, Subcommand)]
pub enum Train {
    /// Start a training plan on the live version of a model and watch it.
    #[command(after_help = "\
Examples:
  agorai train start --model 0 --dataset 0 --rounds 3
  agorai train start --model 0 --dataset 0 --dataset 2 --rounds 10 --reward 5000000000000 --detach

In each round every enrolled validator trains on its own part of the data. Contributions are audited and
scored, and more than 2/3 of the validators must accept the new weights.")]
    Start {
        /// Index of the model.
        #[arg(long, value_name = "ID")]
        model: u32,
        /// Index of a dataset to train on; may be repeated.
        #[arg(long = "dataset", required = true, value_name = "ID")]
        datasets: Vec<u32>,
        /// Number of rounds.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Reward of a round, in the smallest unit; the rewards of all rounds are held at the start.
        #[arg(long, default_value_t = DEFAULT_REWARD)]
        reward: u128,
        /// Shares of the model that a round issues.
        #[arg(long, default_value_t = DEFAULT_SHARES)]
        shares: u128,
        /// Minimum number of workers; a round with fewer is void.
        #[arg(long, default_value_t = 3)]
        minimum_workers: u32,
        /// Return when the plan has started, without waiting for its rounds.
        #[arg(long)]
        detach: bool,
        /// Time limit of the whole command, in seconds.
        #[arg(long, default_value_t = 3_600)]
        timeout: u64,
    },
    /// Watch a plan until it ends, and show its rounds.
    Watch {
        /// Index of the plan.
        plan: u32,
        /// Time limit of the whole command, in seconds.
        #[arg(long, default_value_t = 3_600)]
        timeout: u64,
    },
}

/// Default price per token, in the smallest unit: a thousandth of a native token.
pub const DEFAULT_PRICE: u128 = 1_000_000_000;
/// Default reward of a round, in the smallest unit: one native token.
pub const DEFAULT_REWARD: u128 = 1_000_000_000_000;
/// Default number of shares that a round issues.
pub const DEFAULT_SHARES: u128 = 1_000;

/// `agorai infer`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agorai infer --model 0 \"Once upon\"
  agorai infer --model 0 \"Once upon\" --max-tokens 32 --temperature 0.8 --top-k 40 --seed 7
  agorai --json infer --model 0 \"Once upon\" --signer //Eve

If this node is the executor, provisional text is shown on stderr while it is generated. The answer on
stdout is the one that other validators have checked. The part of --max-fee above the fee is returned.")]
pub struct Infer {
    /// Index of the model.
    #[arg(long, value_name = "ID")]
    pub model: u32,
    /// Prompt, at most 8192 bytes; prompt and answer must fit the model's context.
    #[arg(allow_hyphen_values = true)]
    pub prompt: String,
    /// Maximum number of tokens of the answer.
    #[arg(long, default_value_t = 64)]
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 10; 0 selects the most likely token.
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Sample from the k most likely tokens; 0 = from all.
    #[arg(long, default_value_t = 0)]
    pub top_k: u32,
    /// Sample from the most likely tokens whose probabilities sum to this value; 1 = from all.
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f64,
    /// Sampling seed; the same seed gives the same answer.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Maximum fee, in the smallest unit; by default the price of the prompt and the longest answer.
    #[arg(long)]
    pub max_fee: Option<u128>,
    /// Time limit of the whole command, from the connection to the finalised answer, in seconds.
    #[arg(long, default_value_t = 600)]
    pub timeout: u64,
}

/// `agorai blob`.
#[derive(Debug, Subcommand)]
pub enum Blob {
    /// Store a file of at most 64 MiB at the node, and print its blob id.
    Put {
        /// File to store.
        file: PathBuf,
    },
    /// Fetch a blob and check its bytes against its id.
    Get {
        /// Blob id, 64 hexadecimal digits.
        id: BlobId,
        /// File to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `agorai localnet`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  agorai localnet --validators 4 --dir /tmp/agora --base-port 30400

Each validator has its own keys, database, blobs and log (DIR/NAME/node.log). The RPC of the first
validator is at base port + 100: connect agorai or polkadot.js to it. A later start with the same DIR
continues the same chain.")]
pub struct Localnet {
    /// Number of validators: 1, 3 or 4.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=4))]
    pub validators: u16,
    /// Folder of the network.
    #[arg(long)]
    pub dir: PathBuf,
    /// First port: validator i uses base + i (network), base + 100 + i (RPC) and base + 200 + i (Prometheus).
    #[arg(long, default_value_t = 30_400, value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    pub base_port: u16,
    /// The agorai-node binary; by default $AGORAI_NODE, then agorai-node in the folder of this program.
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
}

/// `agorai demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agorai demo
  agorai demo --text my_corpus.txt --prompt \"It was\" --rounds 5

The last line is one JSON object. The network's folder is removed on success; on failure it is kept with
the nodes' logs, and its path is printed.")]
pub struct Demo {
    /// Corpus, a UTF-8 text; by default the documentation and sources of a repository.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Repository that the default corpus is read from; by default the one around the current folder.
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// Prompt of the paid inference.
    #[arg(long, default_value = "// The chain ", allow_hyphen_values = true)]
    pub prompt: String,
    /// Number of training rounds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// The agorai-node binary; by default $AGORAI_NODE, then agorai-node in the folder of this program.
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
    /// First port of the network; by default a free range is chosen.
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,
    /// Time limit of the whole command, in seconds.
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
    fn options_are_accepted_before_and_after_the_command() {
        let cli = Cli::try_parse_from(["agorai", "--json", "blob", "put", "f", "--url", "ws://h:1"]).unwrap();
        assert!(cli.json && cli.url == "ws://h:1");
        assert!(Cli::try_parse_from(["agorai", "blob", "get", "xyz", "-o", "f"]).is_err());
        assert!(Cli::try_parse_from(["agorai", "dataset", "publish", "--name", "n"]).is_err());
    }
}
