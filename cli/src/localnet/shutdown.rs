// SPDX-License-Identifier: GPL-3.0-only
//! Signals that end a command.

use crate::error::{Error, Result};
use tokio::signal::unix::{signal, SignalKind};

/// Waits for SIGINT (Ctrl-C) or SIGTERM. The handlers are installed at the first poll, so that a signal during the
/// start of a network stops its nodes as well.
pub async fn stop_signal() -> Result<()> {
    let listen = |kind| signal(kind).map_err(|e| Error::failed("NoSignals", format!("cannot wait for signals: {e}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}
