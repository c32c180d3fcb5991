// SPDX-License-Identifier: GPL-3.0-only
//! The processes of a network: start, readiness, restart and stop.

use super::{
    binary::{export_chain_spec, failed},
    node::{address, Node, NodeSettings},
};
use crate::{
    chain::Chain,
    deadline::{Awaited, Deadline},
    error::{Error, Result},
    output::Output,
};
use std::{fs, path::PathBuf, time::Duration};
use tokio::time::sleep;

/// Names of the validators, which are also the development keys that they use.
pub const NAMES: [&str; 4] = ["alice", "bob", "charlie", "dave"];
/// Time in which a node must answer after its start.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// Interval at which a node is polled.
const POLL: Duration = Duration::from_millis(300);

/// The settings of a network.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node binary.
    pub node: PathBuf,
    /// Number of validators: 1, 3 or 4.
    pub validators: u16,
    /// Folder of the network; created if missing.
    pub dir: PathBuf,
    /// The first port.
    pub base_port: u16,
    /// Additional arguments of single nodes, by index: `(2, ["--compute", "ws://127.0.0.1:9955"])`.
    pub extra: Vec<(usize, Vec<String>)>,
    /// Nodes that run another binary than `node`, by index.
    pub binaries: Vec<(usize, PathBuf)>,
}

/// A running network.
pub struct Network {
    nodes: Vec<Node>,
}

impl Network {
    /// Starts all validators and waits until each answers.
    pub async fn start(settings: &Settings, out: &Output) -> Result<Self> {
        let mut network = Self::prepare(settings).await?;
        let count = network.len();
        for node in &mut network.nodes {
            node.spawn()?;
        }
        let spinner = out.spinner("starting the validators");
        let mut ready = Ok(());
        for i in 0..count {
            ready = network.wait_until_ready(i).await.map(|_| ());
            if ready.is_err() {
                break;
            }
        }
        spinner.finish_and_clear();
        ready.map(|()| network)
    }

    /// Writes the chain spec and the nodes' folders; no process is started.
    async fn prepare(settings: &Settings) -> Result<Self> {
        let count = usize::from(settings.validators);
        if ![1, 3, 4].contains(&count) {
            return Err(Error::usage(
                "BadValidators",
                format!("{count} validators cannot finalise blocks: the genesis has 4, or 1 for development"),
            )
            .hint("use --validators 4, 3 or 1"));
        }
        let dir = &settings.dir;
        fs::create_dir_all(dir).map_err(|e| failed(dir.display(), e))?;
        let dir = fs::canonicalize(dir).map_err(|e| failed(dir.display(), e))?;
        let spec = dir.join("chain-spec.json");
        if !spec.exists() {
            let preset = if count == 1 { "dev" } else { "local" };
            export_chain_spec(&settings.node, preset, &spec).await?;
        }
        let names = || (0u16..).zip(NAMES).take(count);
        let addresses = names()
            .map(|(i, name)| address(name, settings.base_port, i))
            .collect::<Result<Vec<_>>>()?;
        let mut nodes = Vec::new();
        for (i, name) in names() {
            let index = usize::from(i);
            let mut boot_nodes = addresses.clone();
            boot_nodes.remove(index);
            let extra = settings.extra.iter().filter(|(of, _)| *of == index);
            let extra: Vec<String> = extra.flat_map(|(_, more)| more.iter().cloned()).collect();
            let other = settings.binaries.iter().find(|(of, _)| *of == index);
            nodes.push(Node::prepare(&NodeSettings {
                name,
                binary: other.map_or(&settings.node, |(_, binary)| binary),
                dir: &dir,
                spec: &spec,
                base_port: settings.base_port,
                index: i,
                boot_nodes: &boot_nodes,
                extra: &extra,
            })?);
        }
        Ok(Self { nodes })
    }

    /// Waits until node `i` answers, and connects to it.
    async fn wait_until_ready(&mut self, i: usize) -> Result<Chain> {
        let deadline = Deadline::after(START_TIMEOUT);
        let url = self.url(i);
        loop {
            self.check_alive()?;
            match Chain::connect(&url, deadline).await {
                Ok(chain) => return Ok(chain),
                Err(e) if deadline.is_expired() => return Err(e.hint(format!("see {}", self.log(i).display()))),
                Err(_) => sleep(POLL).await,
            }
        }
    }

    /// Waits until the chain has finalised block `height`; fails if a node exits.
    pub async fn wait_for_finality(
        &mut self,
        chain: &Chain,
        height: u32,
        deadline: Deadline,
        out: &Output,
    ) -> Result<()> {
        let spinner = out.spinner("waiting for finality");
        let awaited = Awaited::new(format!("block {height} to be finalised"), "see the nodes' logs");
        let outcome = deadline
            .limit(&awaited, async {
                loop {
                    self.check_alive()?;
                    if chain.finalized().await? >= height {
                        return Ok(());
                    }
                    sleep(POLL).await;
                }
            })
            .await;
        spinner.finish_and_clear();
        outcome
    }

    /// Fails with `NodeEnded` if the process of a node has exited.
    pub fn check_alive(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::check_alive)
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the network has no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the RPC URL of node `i`.
    pub fn url(&self, i: usize) -> String {
        let port = self.nodes.get(i).map_or(0, |node| node.rpc_port);
        format!("ws://127.0.0.1:{port}")
    }

    /// Returns the log file of node `i`.
    pub fn log(&self, i: usize) -> PathBuf {
        self.nodes.get(i).map(|node| node.log.clone()).unwrap_or_default()
    }

    /// Returns the name of node `i`.
    pub fn name(&self, i: usize) -> &'static str {
        self.nodes.get(i).map_or("", |node| node.name)
    }

    /// Kills the process of node `i` with SIGKILL.
    pub async fn kill(&mut self, i: usize) -> Result<()> {
        let node = self.node(i)?;
        let name = node.name;
        if let Some(mut child) = node.take_child() {
            child.kill().await.map_err(|e| failed(name, e))?;
        }
        Ok(())
    }

    /// Kills node `i`, starts it again and waits until it answers.
    pub async fn restart(&mut self, i: usize) -> Result<Chain> {
        self.kill(i).await?;
        self.node(i)?.spawn()?;
        self.wait_until_ready(i).await
    }

    /// Stops all nodes. A process that exits by itself within `patience`, because the terminal's Ctrl-C reached it as
    /// well, shuts down cleanly; the others are killed.
    pub async fn stop(mut self, patience: Duration) {
        let deadline = Deadline::after(patience);
        for node in &mut self.nodes {
            if let Some(mut child) = node.take_child() {
                if deadline.run(child.wait()).await.is_none() {
                    // It fails if the process has just exited, which is what is wanted.
                    let _ = child.kill().await;
                }
            }
        }
    }

    fn node(&mut self, i: usize) -> Result<&mut Node> {
        self.nodes
            .get_mut(i)
            .ok_or_else(|| Error::usage("NoSuchNode", format!("the network has no node {i}")))
    }
}
