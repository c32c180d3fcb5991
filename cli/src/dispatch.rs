// SPDX-License-Identifier: GPL-3.0-only
//! Selects the command that the command line names.

use crate::{
    args::{Cli, Command},
    commands::{blob, dataset, demo, infer, localnet, model, train},
    error::Result,
    output::Output,
};

/// Runs the command.
pub async fn run(cli: &Cli, out: &Output) -> Result<()> {
    match &cli.command {
        Command::Dataset(command) => dataset::run(cli, command, out).await,
        Command::Model(command) => model::run(cli, command, out).await,
        Command::Train(command) => train::run(cli, command, out).await,
        Command::Infer(command) => infer::run(cli, command, out).await,
        Command::Blob(command) => blob::run(cli, command, out).await,
        Command::Localnet(command) => localnet::run(command, out).await,
        Command::Demo(command) => demo::run(command, out).await,
    }
}
