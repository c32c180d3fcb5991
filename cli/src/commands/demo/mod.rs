// SPDX-License-Identifier: GPL-3.0-only
//! `agorai demo`: on one machine, a network of four validators, a dataset, a model, training rounds of all
//! validators, and a paid answer that the other validators have checked.

mod checks;
mod corpus;
mod steps;

use self::steps::VALIDATORS;
use crate::{
    args::Demo,
    deadline::{Awaited, Deadline},
    error::{Error, Result},
    localnet::{find_node, free_base_port, stop_signal, Settings},
    output::Output,
};

/// Runs the demo in a temporary folder, which is removed on success, and kept and named on failure.
pub async fn run(command: &Demo, out: &Output) -> Result<()> {
    let deadline = Deadline::after_seconds(command.timeout);
    let node = find_node(command.node.as_deref())?;
    let text = corpus::load(command.text.as_deref(), command.repo.as_deref())?;
    let folder = tempfile::Builder::new()
        .prefix("agorai-demo-")
        .tempdir()
        .map_err(|e| Error::failed("NoFolder", format!("cannot create a temporary folder: {e}")))?;
    let base_port = match command.base_port {
        Some(port) => port,
        None => free_base_port(VALIDATORS)?,
    };
    let settings = Settings {
        node,
        validators: VALIDATORS,
        dir: folder.path().to_path_buf(),
        base_port,
        extra: Vec::new(),
        binaries: Vec::new(),
    };
    let awaited = Awaited::new("the end of the demo", "raise --timeout if this machine is slow");
    let outcome = tokio::select! {
        outcome = deadline.limit(&awaited, steps::run(&settings, text, command, deadline, out)) => outcome,
        stopped = stop_signal() => {
            stopped.and_then(|()| Err(Error::failed("Interrupted", "the demo was stopped by a signal")))
        }
    };
    match outcome {
        Ok(result) => {
            folder
                .close()
                .map_err(|e| Error::failed("FolderStays", format!("cannot remove the demo's folder: {e}")))?;
            out.object(&result);
            Ok(())
        }
        Err(error) => {
            let kept = folder.keep();
            out.note(format!(
                "the network's folder with the nodes' logs is kept: {}",
                kept.display()
            ));
            Err(error)
        }
    }
}
