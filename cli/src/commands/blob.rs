// SPDX-License-Identifier: GPL-3.0-only
//! `agorai blob`: stores and fetches blobs.

use super::connection::connect_rpc;
use crate::{
    args::{Blob, Cli},
    chain::rpc::MAX_BLOB_BYTES,
    error::{Error, Result},
    output::Output,
};
use serde_json::json;

/// Runs a command of this group.
pub async fn run(cli: &Cli, command: &Blob, out: &Output) -> Result<()> {
    match command {
        Blob::Put { file } => {
            let unreadable =
                |e: std::io::Error| Error::usage("FileUnreadable", format!("cannot read {}: {e}", file.display()));
            let length = std::fs::metadata(file).map_err(unreadable)?.len();
            if length > MAX_BLOB_BYTES as u64 {
                return Err(Error::usage(
                    "BlobTooLarge",
                    format!(
                        "{} has {length} bytes; the maximum of a blob is {MAX_BLOB_BYTES} (64 MiB)",
                        file.display()
                    ),
                )
                .hint("split the file"));
            }
            let bytes = std::fs::read(file).map_err(unreadable)?;
            let rpc = connect_rpc(cli).await?;
            let spinner = out.spinner("storing the blob");
            let stored = rpc.blob_put(&bytes).await;
            spinner.finish_and_clear();
            let id = stored?;
            out.result(
                &json!({"ok": true, "blob": id.to_string(), "bytes": bytes.len()}),
                id.to_string(),
            );
        }
        Blob::Get { id, output } => {
            let rpc = connect_rpc(cli).await?;
            let spinner = out.spinner("fetching the blob");
            let fetched = rpc.blob_get(id).await;
            spinner.finish_and_clear();
            let bytes = fetched?;
            std::fs::write(output, &bytes)
                .map_err(|e| Error::failed("CannotWrite", format!("cannot write {}: {e}", output.display())))?;
            out.result(
                &json!({"ok": true, "blob": id.to_string(), "bytes": bytes.len(), "file": output}),
                format!("wrote {} bytes to {}", bytes.len(), output.display()),
            );
        }
    }
    Ok(())
}
