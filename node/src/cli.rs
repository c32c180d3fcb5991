// SPDX-License-Identifier: GPL-3.0-only
//! The command line.

use sc_cli::{
    BuildSpecCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd, ImportBlocksCmd, KeySubcommand,
    PurgeChainCmd, RevertCmd, RunCmd,
};
use std::{num::NonZeroU16, path::PathBuf, str::FromStr};

/// The Agorai validator: chain, trainer and server in one binary.
///
/// Without a command it runs a node: `agorai-node --dev` for a chain of one's own,
/// `agorai-node --chain local --alice` for one of the four validators of the local chain.
#[derive(Debug, clap::Parser)]
pub struct Cli {
    /// What to do instead of running a node.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// How the node runs.
    #[clap(flatten)]
    pub run: RunCmd,

    /// How it computes and where it keeps blobs.
    #[clap(flatten)]
    pub work: WorkParams,
}

/// Where jobs are computed and blobs are kept.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkParams {
    /// Where jobs are computed: in this process, or by a worker process at an address.
    #[arg(long, value_name = "embedded|ws://HOST:PORT", default_value = "embedded")]
    pub compute: Compute,

    /// Threads of one job of the embedded engine; by default all of the processor's.
    #[arg(long, value_name = "COUNT")]
    pub compute_threads: Option<NonZeroU16>,

    /// Folder of the blobs: weights, dataset shards, contributions. By default it lies beside the
    /// chain's database.
    #[arg(long, value_name = "PATH")]
    pub blobs: Option<PathBuf>,
}

/// Where jobs are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compute {
    /// On threads of this process.
    Embedded,
    /// By the worker process that listens at this WebSocket address.
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
                "`{text}` is neither `embedded` nor a worker's address such as ws://10.0.0.2:9955"
            )),
        }
    }
}

/// Commands other than running a node.
#[derive(Debug, clap::Subcommand)]
// One value per process: its size does not matter.
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
    /// Make, show and insert keys; `cmte` is the key type of job messages.
    #[command(subcommand)]
    Key(KeySubcommand),

    /// Write a chain's specification to a file.
    ExportChainSpec(ExportChainSpecCmd),

    /// Write a chain's specification to the terminal, with this machine as boot node.
    BuildSpec(BuildSpecCmd),

    /// Execute a block again and compare the result.
    CheckBlock(CheckBlockCmd),

    /// Write blocks to a file.
    ExportBlocks(ExportBlocksCmd),

    /// Write the state at a block as a chain specification.
    ExportState(ExportStateCmd),

    /// Read blocks from a file.
    ImportBlocks(ImportBlocksCmd),

    /// Delete the chain's database. Keys and blobs stay.
    PurgeChain(PurgeChainCmd),

    /// Go back some blocks that are not final yet.
    Revert(RevertCmd),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn command_line_is_consistent() {
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
    fn compute_is_embedded_by_default_and_an_address_when_given() {
        let cli = Cli::try_parse_from(["agorai-node", "--alice", "--chain", "local"]).unwrap();
        assert_eq!(cli.work.compute, Compute::Embedded);
        let remote: Compute = "ws://gpu.example:9955".parse().unwrap();
        assert_eq!(remote, Compute::Remote("ws://gpu.example:9955".into()));
    }

    #[test]
    fn compute_is_refused_when_it_is_no_address() {
        for wrong in ["", "cuda", "http://a:1", "ws://host", "ws://:99", "ws://host:port"] {
            let error = wrong.parse::<Compute>().unwrap_err();
            assert!(error.contains("ws://10.0.0.2:9955"), "{error}");
        }
    }
}
