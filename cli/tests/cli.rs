// SPDX-License-Identifier: GPL-3.0-only
//! The binary without a network: exit codes, and the content of stdout and stderr.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    process::{Command, Output},
};

/// A URL on which nothing listens: a test has no privileges for port 1.
const UNUSED_URL: &str = "ws://127.0.0.1:1";

fn agorai(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agorai"))
        .args(["--url", UNUSED_URL, "--json"])
        .args(arguments)
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> (Option<i32>, String) {
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert!(!output.stderr.is_empty());
    (output.status.code(), json["error"].as_str().unwrap().to_owned())
}

fn publish(text: &[u8], more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corpus.txt");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let mut arguments = vec!["dataset", "publish", path, "--name", "n", "--licence", "MIT"];
    arguments.extend(more);
    error_of(&agorai(&arguments))
}

#[test]
fn each_invalid_corpus_exits_2_with_its_own_error() {
    assert_eq!(publish(b"", &[]), (Some(2), "CorpusEmpty".into()));
    assert_eq!(publish(b"ab\xff\xfe", &[]), (Some(2), "CorpusNotUtf8".into()));
    assert_eq!(publish(b"short", &[]), (Some(2), "CorpusTooSmall".into()));
    let missing = agorai(&["dataset", "publish", "/none", "--name", "n", "--licence", "MIT"]);
    assert_eq!(error_of(&missing), (Some(2), "CorpusUnreadable".into()));
}

#[test]
fn invalid_manifest_exits_2_before_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("manifest.json");
    fs::write(&manifest, "{ no json").unwrap();
    let text = "text ".repeat(10_000);
    assert_eq!(
        publish(text.as_bytes(), &["--manifest", manifest.to_str().unwrap()]),
        (Some(2), "ManifestMalformed".into())
    );
}

#[test]
fn missing_node_exits_4_with_a_hint() {
    let output = agorai(&["model", "list"]);
    let hint = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(error_of(&output), (Some(4), "CannotConnect".into()));
    assert!(hint.contains("agorai localnet"), "{hint}");
    let good = "text ".repeat(10_000);
    assert_eq!(publish(good.as_bytes(), &[]), (Some(4), "CannotConnect".into()));
}

#[test]
fn invalid_arguments_exit_2() {
    assert_eq!(agorai(&["infer"]).status.code(), Some(2));
    assert_eq!(agorai(&["blob", "get", "xyz", "-o", "f"]).status.code(), Some(2));
    let signer = agorai(&["--signer", "no such phrase", "model", "retire", "0"]);
    assert_eq!(error_of(&signer), (Some(2), "BadSigner".into()));
}

#[test]
fn help_has_examples() {
    for command in [
        &["--help"][..],
        &["infer", "--help"],
        &["dataset", "publish", "--help"],
        &["model", "create", "--help"],
        &["train", "start", "--help"],
        &["localnet", "--help"],
        &["demo", "--help"],
    ] {
        let output = agorai(command);
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("Example"), "{command:?}");
    }
}
