// SPDX-License-Identifier: GPL-3.0-only
//! What the commands share: the signer, the connection, the time limits and the submission of a call.

use crate::{
    args::Cli,
    chain::{rpc::Rpc, signer, Call, Chain, Included},
    deadline::{Awaited, Deadline},
    error::{Error, Result},
    output::Output,
};
use std::{future::Future, time::Duration};
use subxt_signer::sr25519::Keypair;

/// Time limit of a connection in commands without `--timeout`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit of all reads of a command without `--timeout`.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit of a call, from its submission to a finalised block, in commands without `--timeout`.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Maximum bytes of a name on the chain.
const MAX_NAME_BYTES: usize = 64;

/// Returns the key pair that `--key-file` or `--signer` names.
pub fn keypair(cli: &Cli) -> Result<Keypair> {
    match &cli.key_file {
        Some(path) => signer::from_file(path),
        None => signer::from_uri(&cli.signer),
    }
}

/// Connects to the node of `--url`, for a command without `--timeout`.
pub async fn connect(cli: &Cli) -> Result<Chain> {
    Chain::connect(&cli.url, Deadline::after(CONNECT_TIMEOUT)).await
}

/// Connects to the RPC of the node of `--url`, for a command that needs no chain.
pub async fn connect_rpc(cli: &Cli) -> Result<Rpc> {
    Rpc::connect(&cli.url, Deadline::after(CONNECT_TIMEOUT)).await
}

/// Returns what `read` reads of `what`, within the time limit of a command without `--timeout`.
pub async fn read<T>(what: &str, read: impl Future<Output = Result<T>>) -> Result<T> {
    let awaited = Awaited::new(what, "check that the node runs and is synchronised, then try again");
    Deadline::after(READ_TIMEOUT).limit(&awaited, read).await
}

/// Submits a call within the time limit of a command without `--timeout`.
pub async fn submit(chain: &Chain, signer: &Keypair, call: Call, title: &str, out: &Output) -> Result<Included> {
    submit_by(chain, signer, call, Deadline::after(CALL_TIMEOUT), title, out).await
}

/// Submits a call, shows its status as `title`, and waits until it is in a finalised block.
pub async fn submit_by(
    chain: &Chain,
    signer: &Keypair,
    call: Call,
    deadline: Deadline,
    title: &str,
    out: &Output,
) -> Result<Included> {
    let spinner = out.spinner(title);
    let included = chain
        .submit(signer, call, deadline, &|status| {
            spinner.set_message(format!("{title}: {status}"));
        })
        .await;
    spinner.finish_and_clear();
    included
}

/// Checks the length of a name; `field` names it in the error.
pub fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(Error::usage(
            "BadName",
            format!("{field} has {} bytes; it must have 1 to {MAX_NAME_BYTES}", name.len()),
        ));
    }
    Ok(())
}
