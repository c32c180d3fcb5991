// SPDX-License-Identifier: GPL-3.0-only
//! `--timeout` against nodes that accept a connection and then stop answering.
#![allow(clippy::unwrap_used)]

use jsonrpsee::{
    server::{Server, ServerHandle},
    types::ErrorObjectOwned,
    RpcModule,
};
use std::{future::pending, net::SocketAddr, process::Stdio, time::Duration};
use tokio::{net::TcpListener, process::Command, time::Instant};

/// The methods that a connection and the first read of a chain call.
const METHODS: [&str; 6] = [
    "chain_getBlockHash",
    "chain_getFinalizedHead",
    "chain_getHeader",
    "state_getRuntimeVersion",
    "state_getMetadata",
    "state_call",
];

/// Starts a WebSocket server that answers the handshake, the methods `answers`, and no other method.
async fn silent_node(answers: &[&'static str]) -> (SocketAddr, ServerHandle) {
    let mut module = RpcModule::new(());
    for method in METHODS {
        if answers.contains(&method) {
            module
                .register_method(method, |_, _, _| {
                    Ok::<_, ErrorObjectOwned>(format!("0x{}", "11".repeat(32)))
                })
                .unwrap();
        } else {
            module
                .register_async_method(method, |_, _, _| pending::<Result<String, ErrorObjectOwned>>())
                .unwrap();
        }
    }
    let server = Server::builder().build("127.0.0.1:0").await.unwrap();
    (server.local_addr().unwrap(), server.start(module))
}

/// Runs `agorai --json` with `arguments` against `node`; asserts that it ends in time with exit code 4 and the error
/// `Timeout`, and returns the message.
async fn timeout_message(node: SocketAddr, arguments: &[&str]) -> String {
    let start = Instant::now();
    let run = Command::new(env!("CARGO_BIN_EXE_agorai"))
        .args(["--json", "--url", &format!("ws://{node}")])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), run)
        .await
        .unwrap()
        .unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"], "Timeout", "{error}");
    assert!(error["hint"].is_string(), "{error}");
    error["message"].as_str().unwrap().to_owned()
}

const INFER: [&str; 6] = ["infer", "--model", "0", "hello", "--timeout", "2"];

#[tokio::test]
async fn infer_names_the_connection_when_the_handshake_is_not_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap();
    // The connections are kept open.
    let accept = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    let message = timeout_message(node, &INFER).await;
    assert!(message.contains("after 2 s waiting for the connection"), "{message}");
    accept.abort();
}

#[tokio::test]
async fn commands_name_the_node_when_it_is_silent_after_the_handshake() {
    let (node, _server) = silent_node(&[]).await;
    for arguments in [
        &INFER[..],
        &["train", "watch", "0", "--timeout", "2"],
        &["train", "start", "--model", "0", "--dataset", "0", "--timeout", "2"],
    ] {
        let message = timeout_message(node, arguments).await;
        assert!(message.contains("does not answer"), "{arguments:?}: {message}");
    }
}

#[tokio::test]
async fn commands_name_the_record_when_the_node_is_silent_after_the_connection() {
    let (node, _server) = silent_node(&["chain_getBlockHash", "chain_getFinalizedHead"]).await;
    let message = timeout_message(node, &INFER).await;
    assert!(message.contains("the record of model 0"), "{message}");
    let message = timeout_message(node, &["train", "watch", "3", "--timeout", "2"]).await;
    assert!(message.contains("the record of plan 3"), "{message}");
}
