// SPDX-License-Identifier: GPL-3.0-only
//! One node of a network: its folder, keys and arguments, and its process.

use super::{
    binary::failed,
    ports::{port, PROMETHEUS_OFFSET, RPC_OFFSET},
};
use crate::error::{Error, Result};
use agorai_primitives::BlobId;
use sc_network_types::{ed25519, PeerId};
use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::{Child, Command};

/// Number of log lines in the error of a node that exited.
const LOG_TAIL_LINES: usize = 5;

/// The settings of a node.
pub struct NodeSettings<'a> {
    /// The name, which is also the development key that the validator uses.
    pub name: &'static str,
    /// The program to run.
    pub binary: &'a Path,
    /// The folder of the network.
    pub dir: &'a Path,
    /// The raw chain spec.
    pub spec: &'a Path,
    /// The first port of the network.
    pub base_port: u16,
    /// The index of the node in the network.
    pub index: u16,
    /// The multiaddresses of the other nodes.
    pub boot_nodes: &'a [String],
    /// Additional arguments.
    pub extra: &'a [String],
}

/// A node.
pub struct Node {
    /// The name, which is also the development key that the validator uses.
    pub name: &'static str,
    /// The log file.
    pub log: PathBuf,
    /// The RPC port on loopback.
    pub rpc_port: u16,
    binary: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
}

/// Returns the network key of a node and its peer id. The key is derived from the name, so that the node keeps its
/// peer id when it restarts. It protects nothing, like the development keys of the validators.
fn network_key(name: &str) -> Result<([u8; 32], PeerId)> {
    let secret = BlobId::of(format!("agorai/localnet/{name}").as_bytes()).0;
    let key = ed25519::SecretKey::try_from_bytes(secret).map_err(|e| failed("cannot derive a network key", e))?;
    Ok((secret, ed25519::Keypair::from(key).public().to_peer_id()))
}

/// Returns the multiaddress of node `index`.
pub fn address(name: &str, base_port: u16, index: u16) -> Result<String> {
    let (_, peer) = network_key(name)?;
    Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", port(base_port, index)?))
}

impl Node {
    /// Creates the folder and the network key of a node; the process is not started.
    pub fn prepare(settings: &NodeSettings<'_>) -> Result<Self> {
        let NodeSettings {
            name, base_port, index, ..
        } = *settings;
        let base = settings.dir.join(name);
        fs::create_dir_all(&base).map_err(|e| failed(base.display(), e))?;
        let key_file = base.join("network-key");
        let (secret, _) = network_key(name)?;
        fs::write(&key_file, hex::encode(secret)).map_err(|e| failed(key_file.display(), e))?;
        let rpc_port = port(base_port, RPC_OFFSET + index)?;
        let mut arguments: Vec<String> = [
            "--chain",
            &settings.spec.to_string_lossy(),
            "--base-path",
            &base.join("data").to_string_lossy(),
            "--blobs",
            &base.join("blobs").to_string_lossy(),
            "--node-key-file",
            &key_file.to_string_lossy(),
            "--listen-addr",
            &format!("/ip4/127.0.0.1/tcp/{}", port(base_port, index)?),
            "--rpc-port",
            &rpc_port.to_string(),
            "--rpc-max-request-size",
            "96",
            "--rpc-max-response-size",
            "96",
            "--prometheus-port",
            &port(base_port, PROMETHEUS_OFFSET + index)?.to_string(),
            "--validator",
            &format!("--{name}"),
            "--name",
            name,
            "--no-mdns",
            "--no-telemetry",
            // All nodes share this machine's cores.
            "--compute-threads",
            "1",
            "--state-pruning",
            "archive",
            "--blocks-pruning",
            "archive",
        ]
        .map(str::to_owned)
        .into();
        for boot_node in settings.boot_nodes {
            arguments.extend(["--bootnodes".to_owned(), boot_node.clone()]);
        }
        arguments.extend_from_slice(settings.extra);
        Ok(Self {
            name,
            log: base.join("node.log"),
            rpc_port,
            binary: settings.binary.to_path_buf(),
            arguments,
            child: None,
        })
    }

    /// Starts the process; its output is appended to the log.
    pub fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|e| failed(self.log.display(), e))?;
        let log_copy = log.try_clone().map_err(|e| failed(self.log.display(), e))?;
        let child = Command::new(&self.binary)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(log_copy))
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(self.binary.display(), e))?;
        self.child = Some(child);
        Ok(())
    }

    /// Fails with `NodeEnded` and the end of the log if the process has exited.
    pub fn check_alive(&mut self) -> Result<()> {
        let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) else {
            return Ok(());
        };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n  ");
        Err(
            Error::failed("NodeEnded", format!("{} exited with {status}:\n  {tail}", self.name))
                .hint(format!("see {}", self.log.display())),
        )
    }

    /// Takes the process, if it was started.
    pub fn take_child(&mut self) -> Option<Child> {
        self.child.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_keys_differ_between_nodes_and_are_stable() {
        let (alice, peer) = network_key("alice").unwrap();
        assert_eq!(network_key("alice").unwrap().0, alice);
        assert_ne!(network_key("bob").unwrap().1, peer);
        assert!(peer.to_string().starts_with("12D3Koo"));
    }
}
