// SPDX-License-Identifier: GPL-3.0-only
//! The node binary: where it is, and the chain spec that it exports.

use crate::error::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// Returns the error `LocalnetFailed` of an operation on `subject`.
pub fn failed(subject: impl std::fmt::Display, error: impl std::fmt::Display) -> Error {
    Error::failed("LocalnetFailed", format!("{subject}: {error}"))
}

/// Returns the path of the node binary: `path` if given, else `$AGORAI_NODE`, else `agorai-node` in the folder of this
/// program or its parent (tests run one folder deeper).
pub fn find_node(path: Option<&Path>) -> Result<PathBuf> {
    let from_environment = std::env::var_os("AGORAI_NODE").map(PathBuf::from);
    if let Some(path) = path.map(Path::to_path_buf).or(from_environment) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::usage("NoNode", format!("{} is not a file", path.display()))
                .hint("give the agorai-node binary with --node"))
        };
    }
    let own = std::env::current_exe().map_err(|e| failed("cannot locate this program", e))?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("agorai-node"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::usage("NoNode", "there is no agorai-node in the folder of this program")
                .hint("build it with ./x build, or name it with --node or AGORAI_NODE")
        })
}

/// Writes the raw chain spec of `preset` to the file `to`.
pub async fn export_chain_spec(node: &Path, preset: &str, to: &Path) -> Result<()> {
    let exported = Command::new(node)
        .args(["export-chain-spec", "--raw", "--chain", preset])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| failed(node.display(), e))?;
    if !exported.status.success() {
        return Err(failed(
            "the node failed to export the chain spec",
            String::from_utf8_lossy(&exported.stderr),
        ));
    }
    fs::write(to, exported.stdout).map_err(|e| failed(to.display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_refused_when_it_is_not_a_file() {
        let error = find_node(Some(Path::new("/nowhere/agorai-node"))).unwrap_err();
        assert_eq!(error.name, "NoNode");
    }
}
