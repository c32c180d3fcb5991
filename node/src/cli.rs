// SPDX-License-Identifier: GPL-3.0-only
//! The command line.

use sc_cli::{
    BuildSpecCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd, ImportBlocksCmd, KeySubcommand,
    PurgeChainCmd, RevertCmd, RunCmd,
};
use std::{num::NonZeroU16, path::PathBuf, str::FromStr};

/// The Agorai validator: chain, trainer and inference server in one binary.
///
/// Without a command, runs a node: `agorai-node --dev` for a development chain with one validator,
/// `agorai-node --chain local --alice` for one of the four validators of the local chain.
#[derive(Debug, clap::Parser)]
pub struct Cli {
    /// The command; without one, the node runs.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// Options of every Substrate node.
    #[clap(flatten)]
    pub run: RunCmd,

    /// Options of the engine and the blob store.
    #[clap(flatten)]
    pub compute: ComputeParams,
}

/// Options of the engine and the blob store.
#[derive(Debug, Clone, clap::Args)]
pub struct ComputeParams {
    /// Where jobs run: in this process, or in a worker process (`agorai-worker`) at an address.
    #[arg(long, value_name = "embedded|ws://HOST:PORT", default_value = "embedded")]
    pub compute: Compute,

    /// Number of threads per job of the embedded engine [default: all hardware threads].
    #[arg(long, value_name = "COUNT")]
    pub compute_threads: Option<NonZeroU16>,

    /// Folder of the blobs: weights, dataset shards, contributions [default: `blobs` beside the chain's database].
    #[arg(long, value_name = "PATH")]
    pub blobs: Option<PathBuf>,
}

/// Where jobs run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compute {
    /// On threads of this process.
    Embedded,
    /// In the worker process at this WebSocket address.
    Remote(String),
}

impl FromStr for Compute {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let host = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
        match host.and_then(|host| host.rsplit_once(':')) {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => Ok(Self::Remote(text.into())),
            _ => Err(format!(
                "`{text}` is neither `embedded` nor the address of a worker such as ws://10.0.0.2:9955"
            )),
        }
    }
}

/// Commands other than running a node.
#[derive(Debug, clap::Subcommand)]
// There is one value per process, so its size does not matter.
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
    /// Generate, inspect and insert keys. The key type of reports about jobs is `cmte`.
    #[command(subcommand)]
    Key(KeySubcommand),

    /// Export a chain spec.
    ExportChainSpec(ExportChainSpecCmd),

    /// Export a chain spec with this node as a boot node.
    BuildSpec(BuildSpecCmd),

    /// Re-execute a block and verify the result.
    CheckBlock(CheckBlockCmd),

    /// Export blocks to a file.
    ExportBlocks(ExportBlocksCmd),

    /// Export the state at a block as a chain spec.
    ExportState(ExportStateCmd),

    /// Import blocks from a file.
    ImportBlocks(ImportBlocksCmd),

    /// Delete the chain's database. Keys and blobs are retained.
    PurgeChain(PurgeChainCmd),

    /// Revert the newest blocks that are not finalized.
    Revert(RevertCmd),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn release_node_has_no_fault_injection() {
        for fault in ["wrong-answer", "corrupt-blobs"] {
            let error = Cli::try_parse_from(["agorai-node", "--dev", "--test-fault", fault]).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument);
        }
    }

    #[test]
    fn compute_defaults_to_embedded_and_accepts_an_address() {
        let cli = Cli::try_parse_from(["agorai-node", "--alice", "--chain", "local"]).unwrap();
        assert_eq!(cli.compute.compute, Compute::Embedded);
        let remote: Compute = "ws://gpu.example:9955".parse().unwrap();
        assert_eq!(remote, Compute::Remote("ws://gpu.example:9955".into()));
    }

    #[test]
    fn compute_is_refused_when_it_is_not_an_address() {
        for wrong in ["", "cuda", "http://a:1", "ws://host", "ws://:99", "ws://host:port"] {
            let error = wrong.parse::<Compute>().unwrap_err();
            assert!(error.contains("ws://10.0.0.2:9955"), "{error}");
        }
    }
}
