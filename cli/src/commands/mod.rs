// SPDX-License-Identifier: GPL-3.0-only
//! The commands: each group in a file, with functions that tests and the demo use as well.

pub mod blob;
pub mod dataset;
pub mod infer;
pub mod localnet;
pub mod model;
pub mod train;

use crate::{
    args::{Cli, Command},
    chain::{Call, Chain, Included},
    demo,
    error::{Error, Result},
    output::Output,
};
use subxt_signer::sr25519::Keypair;

/// Runs what the command line asks for.
pub async fn run(cli: Cli, out: &Output) -> Result<()> {
    match &cli.command {
        Command::Dataset(command) => dataset::run(&cli, command, out).await,
        Command::Model(command) => model::run(&cli, command, out).await,
        Command::Train(command) => train::run(&cli, command, out).await,
        Command::Infer(command) => infer::run(&cli, command, out).await,
        Command::Blob(command) => blob::run(&cli, command, out).await,
        Command::Localnet(command) => localnet::run(command, out).await,
        Command::Demo(command) => demo::run(command, out).await,
    }
}

/// Submits a call and shows where it is.
pub async fn submit(chain: &Chain, signer: &Keypair, call: Call, title: &str, out: &Output) -> Result<Included> {
    let spinner = out.spinner(title);
    let done = chain
        .submit(signer, call, &|state| spinner.set_message(format!("{title}: {state}")))
        .await;
    spinner.finish_and_clear();
    done
}

/// Refuses names that the chain would not hold.
fn check_name(what: &str, name: &str) -> Result<()> {
    const MOST: usize = 64;
    if name.is_empty() || name.len() > MOST {
        return Err(Error::usage(
            "BadName",
            format!("{what} has {} bytes; it must have 1 to {MOST}", name.len()),
        ));
    }
    Ok(())
}
