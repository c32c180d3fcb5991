// SPDX-License-Identifier: GPL-3.0-only
//! Runs the commands.

use crate::{
    chain_spec,
    cli::{Cli, Subcommand},
    client::{Block, FullBackend, FullClient},
    partial,
    service::{self, BlobResponder},
};
use agorai_runtime::BlockNumber;
use sc_cli::SubstrateCli;
use sc_service::PartialComponents;
use std::sync::Arc;

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Agorai".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "the Agorai contributors".into()
    }

    fn support_url() -> String {
        "the project's issue tracker".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        chain_spec::load(id).map(|spec| Box::new(spec) as _)
    }
}

/// Removes the consensus data of the newest `blocks` blocks.
fn revert_consensus(client: Arc<FullClient>, backend: Arc<FullBackend>, blocks: BlockNumber) -> sc_cli::Result<()> {
    sc_consensus_babe::revert(client.clone(), backend, blocks)?;
    sc_consensus_grandpa::revert(client, blocks)?;
    Ok(())
}

/// Parses the command line and runs its command. `blob_responder` answers the blob requests of a running node.
pub fn run(blob_responder: BlobResponder) -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match &cli.subcommand {
        None => {
            let runner = cli.create_runner(&cli.run)?;
            let compute = cli.compute.clone();
            runner.run_node_until_exit(|config| async move {
                service::new_full(config, compute, blob_responder).map_err(sc_cli::Error::Service)
            })
        }
        Some(Subcommand::Key(cmd)) => cmd.run(&cli),
        Some(Subcommand::ExportChainSpec(cmd)) => cmd.run(cli.load_spec(&cmd.chain)?),
        Some(Subcommand::BuildSpec(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run(config.chain_spec, config.network)),
        Some(Subcommand::CheckBlock(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = partial::new(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::ExportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client, task_manager, ..
            } = partial::new(&config)?;
            Ok((cmd.run(client, config.database), task_manager))
        }),
        Some(Subcommand::ExportState(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client, task_manager, ..
            } = partial::new(&config)?;
            Ok((
                cmd.run::<Block, FullBackend, _>(client, config.chain_spec),
                task_manager,
            ))
        }),
        Some(Subcommand::ImportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = partial::new(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::PurgeChain(cmd)) => cli.create_runner(cmd)?.sync_run(|config| cmd.run(config.database)),
        Some(Subcommand::Revert(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                backend,
                task_manager,
                ..
            } = partial::new(&config)?;
            Ok((cmd.run(client, backend, Some(Box::new(revert_consensus))), task_manager))
        }),
    }
}
