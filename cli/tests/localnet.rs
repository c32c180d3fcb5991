// SPDX-License-Identifier: GPL-3.0-only
//! Start and stop of a network's processes, with a shell script in place of the node.
#![allow(clippy::unwrap_used)]

use agorai_cli::{
    localnet::{free_base_port, Network, Settings},
    output::Output,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Writes a program that exports an empty chain spec, and otherwise runs the commands `run`.
fn node(folder: &Path, run: &str) -> PathBuf {
    let path = folder.join("node.sh");
    let script = format!("#!/bin/sh\nif [ \"$1\" = export-chain-spec ]; then echo '{{}}'; exit 0; fi\n{run}\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn settings(folder: &Path, run: &str) -> Settings {
    Settings {
        node: node(folder, run),
        validators: 4,
        dir: folder.join("net"),
        base_port: free_base_port(4).unwrap(),
        extra: vec![(3, vec!["--extra".to_owned()])],
        binaries: Vec::new(),
    }
}

#[tokio::test]
async fn start_fails_with_the_end_of_the_log_when_a_node_exits() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), "echo \"no database, $*\"; exit 3");
    let error = Network::start(&settings, &Output::new(true)).await.err().unwrap();
    assert_eq!(error.name, "NodeEnded");
    assert!(error.message.contains("no database"), "{error}");
    assert!(error.hint.unwrap().contains("node.log"));
}

#[tokio::test]
async fn nodes_are_killed_when_the_network_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let run = "echo $$ > \"$(dirname \"$0\")/$$.pid\"; exec sleep 600";
    let settings = settings(folder.path(), run);
    let out = Output::new(true);
    let start = timeout(Duration::from_secs(2), Network::start(&settings, &out)).await;
    assert!(start.is_err(), "a script answers no RPC");
    let pids: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".pid").map(str::to_owned)
        })
        .collect();
    assert_eq!(pids.len(), 4);
    for pid in pids {
        let mut left = 50;
        // A process that has exited has no command line, even before it is reaped.
        while fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
            left -= 1;
            assert!(left > 0, "process {pid} still runs");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn each_node_has_its_own_ports_folders_and_boot_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), "echo \"$*\"; exec sleep 600");
    let out = Output::new(true);
    let start = timeout(Duration::from_secs(2), Network::start(&settings, &out)).await;
    assert!(start.is_err(), "a script answers no RPC");
    let log = |name: &str| fs::read_to_string(settings.dir.join(name).join("node.log")).unwrap_or_default();
    let (alice, dave) = (log("alice"), log("dave"));
    assert!(alice.contains("--alice") && alice.contains("--validator"));
    assert!(alice.contains(&format!("--rpc-port {}", settings.base_port + 100)));
    assert!(dave.contains(&format!("/ip4/127.0.0.1/tcp/{}", settings.base_port + 3)));
    assert_eq!(alice.matches("--bootnodes").count(), 3);
    assert!(dave.contains("--extra") && !alice.contains("--extra"));
}

#[tokio::test]
async fn two_validators_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let two = Settings {
        validators: 2,
        ..settings(folder.path(), "exit 1")
    };
    let error = Network::start(&two, &Output::new(true)).await.err().unwrap();
    assert_eq!(error.name, "BadValidators");
}
