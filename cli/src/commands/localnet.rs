// SPDX-License-Identifier: GPL-3.0-only
//! `agorai localnet`: runs a network on this machine until a signal.

use crate::{
    args::Localnet,
    error::Result,
    localnet::{find_node, stop_signal, Network, Settings},
    output::Output,
    table,
};
use serde_json::json;
use std::{pin::pin, time::Duration};
use tokio::time::sleep;

/// Interval at which the node processes are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time in which nodes may shut down before they are killed.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the network, prints its endpoints, and stops it on Ctrl-C or when a node exits.
pub async fn run(command: &Localnet, out: &Output) -> Result<()> {
    let settings = Settings {
        node: find_node(command.node.as_deref())?,
        validators: command.validators,
        dir: command.dir.clone(),
        base_port: command.base_port,
        extra: Vec::new(),
        binaries: Vec::new(),
    };
    let mut stop = pin!(stop_signal());
    let mut network = tokio::select! {
        network = Network::start(&settings, out) => network?,
        stopped = &mut stop => return stopped,
    };
    let rows: Vec<Vec<String>> = (0..network.len())
        .map(|i| {
            vec![
                network.name(i).to_owned(),
                network.url(i),
                network.log(i).display().to_string(),
            ]
        })
        .collect();
    let nodes: Vec<_> = rows
        .iter()
        .map(|row| json!({"name": row[0], "url": row[1], "log": row[2]}))
        .collect();
    out.result(
        &json!({"ok": true, "nodes": nodes}),
        table::render(&["validator", "rpc", "log"], &rows),
    );
    out.note(format!(
        "try: agorai --url {} model list; stop with Ctrl-C",
        network.url(0)
    ));
    let outcome = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            () = sleep(CHECK_INTERVAL) => {
                if let Err(e) = network.check_alive() {
                    break Err(e);
                }
            }
        }
    };
    out.note("stopping the validators");
    network.stop(SHUTDOWN_TIMEOUT).await;
    outcome
}
