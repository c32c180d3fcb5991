// SPDX-License-Identifier: GPL-3.0-only
//! The `agorai` command.

use agorai_cli::{args::Cli, dispatch, output::Output};
use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.json);
    match dispatch::run(&cli, &out).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            ExitCode::from(error.code())
        }
    }
}
