// SPDX-License-Identifier: GPL-3.0-only
//! A network of validators on this machine: one process each, on loopback, from one chain spec, with
//! keys, database, blobs and log of its own under one folder.
//!
//! Only processes that were started here are ever stopped, and all of them are when [`Network`] is
//! dropped.

use crate::{
    chain::Chain,
    error::{Error, Result},
    output::Output,
};
use agorai_primitives::BlobId;
use sc_network_types::{ed25519, PeerId};
use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    signal::unix::{signal, SignalKind},
    time::{sleep, timeout, Instant},
};

/// The validators' names, which are also the development keys that they use.
pub const NAMES: [&str; 4] = ["alice", "bob", "charlie", "dave"];
/// How long a node may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(90);
const RPC_OFFSET: u16 = 100;
const PROMETHEUS_OFFSET: u16 = 200;

/// How a network is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node binary.
    pub node: PathBuf,
    /// Number of validators: 1, 3 or 4.
    pub validators: u16,
    /// Folder of the network; made where it is missing.
    pub dir: PathBuf,
    /// First port.
    pub base_port: u16,
    /// Additional arguments of single nodes, by index: `(2, ["--compute", "ws://127.0.0.1:9955"])`.
    pub extra: Vec<(usize, Vec<String>)>,
    /// Nodes that run another binary than `node`, by index.
    pub binaries: Vec<(usize, PathBuf)>,
}

/// A node of a [`Network`].
struct Node {
    name: &'static str,
    binary: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    rpc_port: u16,
    child: Option<Child>,
}

/// A running network.
pub struct Network {
    nodes: Vec<Node>,
}

fn failed(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Error {
    Error::failed("LocalnetFailed", format!("{what}: {error}"))
}

/// Finds the node binary: `named`, else `$AGORAI_NODE`, else the one beside this program or one folder
/// above it (where tests run).
pub fn find_node(named: Option<&Path>) -> Result<PathBuf> {
    let from_environment = std::env::var_os("AGORAI_NODE").map(PathBuf::from);
    if let Some(path) = named.map(Path::to_path_buf).or(from_environment) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::usage("NoNode", format!("{} is no file", path.display()))
                .hint("give the agorai-node binary with --node"))
        };
    }
    let own = std::env::current_exe().map_err(|e| failed("cannot find this program", e))?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("agorai-node"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::usage("NoNode", "there is no agorai-node beside this program")
                .hint("build it with ./x build, or name it with --node or AGORAI_NODE")
        })
}

/// A base port with all ports that a network of `validators` needs free at this moment.
pub fn free_base_port(validators: u16) -> Result<u16> {
    // Start at a place of its own for each process, so that networks beside each other seldom race.
    let start = u16::try_from(std::process::id() % 90).unwrap_or(0);
    (0..90u16)
        .map(|step| 20_000 + (start + step) % 90 * 300)
        .find(|base| {
            (0..validators).all(|i| {
                [0, RPC_OFFSET, PROMETHEUS_OFFSET]
                    .iter()
                    .all(|offset| TcpListener::bind(("127.0.0.1", base + offset + i)).is_ok())
            })
        })
        .ok_or_else(|| Error::failed("NoPorts", "no free ports between 20000 and 47000"))
}

/// The network key of a node, derived from its name: it keeps its peer id when it starts again. Such a
/// key protects nothing, like the development keys of the validators.
fn network_key(name: &str) -> Result<([u8; 32], PeerId)> {
    let secret = BlobId::of(format!("agorai/localnet/{name}").as_bytes()).0;
    let key = ed25519::SecretKey::try_from_bytes(secret).map_err(|e| failed("cannot make a network key", e))?;
    Ok((secret, ed25519::Keypair::from(key).public().to_peer_id()))
}

impl Network {
    /// Starts all validators and waits until each answers.
    pub async fn start(settings: &Settings, out: &Output) -> Result<Self> {
        let count = usize::from(settings.validators);
        if ![1, 3, 4].contains(&count) {
            return Err(Error::usage(
                "BadValidators",
                format!("{count} validators finalise nothing: the genesis has 4, or 1 for development"),
            )
            .hint("use --validators 4, 3 or 1"));
        }
        let dir = &settings.dir;
        fs::create_dir_all(dir).map_err(|e| failed(dir.display(), e))?;
        let dir = fs::canonicalize(dir).map_err(|e| failed(dir.display(), e))?;
        let spec = dir.join("chain-spec.json");
        if !spec.exists() {
            let preset = if count == 1 { "dev" } else { "local" };
            make_spec(&settings.node, preset, &spec).await?;
        }
        let mut network = Self { nodes: Vec::new() };
        let mut addresses = Vec::new();
        let mut keys = Vec::new();
        for (i, name) in (0u16..).zip(NAMES).take(count) {
            let (secret, peer) = network_key(name)?;
            addresses.push(format!(
                "/ip4/127.0.0.1/tcp/{}/p2p/{peer}",
                port(settings.base_port, i)?
            ));
            keys.push(secret);
        }
        for (i, name) in (0u16..).zip(NAMES).take(count) {
            let place = usize::from(i);
            let base = dir.join(name);
            fs::create_dir_all(&base).map_err(|e| failed(base.display(), e))?;
            let key_file = base.join("network-key");
            fs::write(&key_file, hex::encode(keys[place])).map_err(|e| failed(key_file.display(), e))?;
            let rpc_port = port(settings.base_port, RPC_OFFSET + i)?;
            let mut arguments: Vec<String> = [
                "--chain",
                &spec.to_string_lossy(),
                "--base-path",
                &base.join("data").to_string_lossy(),
                "--blobs",
                &base.join("blobs").to_string_lossy(),
                "--node-key-file",
                &key_file.to_string_lossy(),
                "--listen-addr",
                &format!("/ip4/127.0.0.1/tcp/{}", port(settings.base_port, i)?),
                "--rpc-port",
                &rpc_port.to_string(),
                "--rpc-max-request-size",
                "96",
                "--rpc-max-response-size",
                "96",
                "--prometheus-port",
                &port(settings.base_port, PROMETHEUS_OFFSET + i)?.to_string(),
                "--validator",
                &format!("--{name}"),
                "--name",
                name,
                "--no-mdns",
                "--no-telemetry",
                // Four nodes share this machine.
                "--compute-threads",
                "1",
                "--state-pruning",
                "archive",
                "--blocks-pruning",
                "archive",
            ]
            .map(str::to_owned)
            .into();
            let others = addresses.iter().enumerate().filter(|(j, _)| *j != place);
            for (_, address) in others {
                arguments.extend(["--bootnodes".to_owned(), address.clone()]);
            }
            let extra = settings.extra.iter().filter(|(of, _)| *of == place);
            arguments.extend(extra.flat_map(|(_, more)| more.iter().cloned()));
            let other = settings.binaries.iter().find(|(of, _)| *of == place);
            network.nodes.push(Node {
                name,
                binary: other.map_or(&settings.node, |(_, binary)| binary).clone(),
                arguments,
                log: base.join("node.log"),
                rpc_port,
                child: None,
            });
        }
        for i in 0..count {
            network.spawn(i)?;
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

    fn spawn(&mut self, i: usize) -> Result<()> {
        let node = self.nodes.get_mut(i).ok_or_else(|| unknown(i))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&node.log)
            .map_err(|e| failed(node.log.display(), e))?;
        let twin = log.try_clone().map_err(|e| failed(node.log.display(), e))?;
        let child = Command::new(&node.binary)
            .args(&node.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(twin))
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(node.binary.display(), e))?;
        node.child = Some(child);
        Ok(())
    }

    /// Waits until node `i` answers, and connects to it.
    pub async fn wait_until_ready(&mut self, i: usize) -> Result<Chain> {
        let deadline = Instant::now() + START_TIMEOUT;
        let url = self.url(i);
        loop {
            self.check_alive()?;
            match Chain::connect(&url).await {
                Ok(chain) => return Ok(chain),
                Err(e) if Instant::now() >= deadline => return Err(e.hint(format!("see {}", self.log(i).display()))),
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// An error if a node that should run has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(Ok(Some(status))) = node.child.as_mut().map(Child::try_wait) {
                let log = fs::read_to_string(&node.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(5)..].join("\n  ");
                return Err(
                    Error::failed("NodeEnded", format!("{} has ended with {status}:\n  {tail}", node.name))
                        .hint(format!("see {}", node.log.display())),
                );
            }
        }
        Ok(())
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The RPC address of node `i`.
    pub fn url(&self, i: usize) -> String {
        let port = self.nodes.get(i).map_or(0, |node| node.rpc_port);
        format!("ws://127.0.0.1:{port}")
    }

    /// The log of node `i`.
    pub fn log(&self, i: usize) -> PathBuf {
        self.nodes.get(i).map(|node| node.log.clone()).unwrap_or_default()
    }

    /// The name of node `i`.
    pub fn name(&self, i: usize) -> &'static str {
        self.nodes.get(i).map_or("", |node| node.name)
    }

    /// Ends node `i` at once, as kill -9 does.
    pub async fn kill(&mut self, i: usize) -> Result<()> {
        let node = self.nodes.get_mut(i).ok_or_else(|| unknown(i))?;
        if let Some(mut child) = node.child.take() {
            child.kill().await.map_err(|e| failed(node.name, e))?;
        }
        Ok(())
    }

    /// Starts node `i` again after [`Network::kill`], and waits until it answers.
    pub async fn restart(&mut self, i: usize) -> Result<Chain> {
        self.kill(i).await?;
        self.spawn(i)?;
        self.wait_until_ready(i).await
    }

    /// Stops all nodes. Those that end by themselves within some seconds (a terminal's Ctrl-C reaches
    /// them as well) do so in good order.
    pub async fn stop(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                let left = deadline.saturating_duration_since(Instant::now());
                if timeout(left, child.wait()).await.is_err() {
                    // It may just have ended; there is nothing else to do about a failure.
                    let _ = child.kill().await;
                }
            }
        }
    }
}

/// Waits for Ctrl-C or a request to terminate. It listens from its first poll on, so that a signal
/// during the start of a network stops the nodes as well.
pub async fn stop_signal() -> Result<()> {
    let listen = |kind| signal(kind).map_err(|e| Error::failed("NoSignals", format!("cannot wait for signals: {e}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn unknown(i: usize) -> Error {
    Error::usage("NoSuchNode", format!("there is no node {i}"))
}

fn port(base: u16, offset: u16) -> Result<u16> {
    base.checked_add(offset)
        .ok_or_else(|| Error::usage("BadPort", format!("base port {base} is too high")))
}

/// Writes the raw chain spec of a preset.
async fn make_spec(node: &Path, preset: &str, to: &Path) -> Result<()> {
    let made = Command::new(node)
        .args(["export-chain-spec", "--raw", "--chain", preset])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| failed(node.display(), e))?;
    if !made.status.success() {
        return Err(failed(
            "the node could not make a chain spec",
            String::from_utf8_lossy(&made.stderr),
        ));
    }
    fs::write(to, made.stdout).map_err(|e| failed(to.display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_keys_differ_and_stay() {
        let (alice, peer) = network_key("alice").unwrap();
        assert_eq!(network_key("alice").unwrap().0, alice);
        assert_ne!(network_key("bob").unwrap().1, peer);
        assert!(peer.to_string().starts_with("12D3Koo"));
    }

    #[test]
    fn node_is_refused_when_it_is_no_file() {
        let error = find_node(Some(Path::new("/nowhere/agorai-node"))).unwrap_err();
        assert_eq!(error.name, "NoNode");
    }

    #[test]
    fn free_ports_are_found() {
        assert!(free_base_port(4).unwrap() >= 20_000);
    }
}
