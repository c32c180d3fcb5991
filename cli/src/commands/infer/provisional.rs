// SPDX-License-Identifier: GPL-3.0-only
//! Provisional text: what an executor has generated so far, before it is checked.

use crate::{chain::rpc::Rpc, output::Output};
use agorai_primitives::RequestId;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Interval at which the nodes are polled.
const POLL: Duration = Duration::from_millis(300);
/// Time in which a node must answer a poll, so that a silent node does not delay the others.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// Prints the provisional text of `nodes` until it is dropped.
pub async fn print_provisional(nodes: &[Rpc], request: RequestId, out: &Output) {
    let mut shown: Vec<u8> = Vec::new();
    let mut decoder = Utf8Decoder::default();
    let mut first = true;
    loop {
        for node in nodes {
            // Provisional text is optional: a node that does not offer it is ignored.
            let Ok(Ok(text)) = timeout(NODE_TIMEOUT, node.provisional(request)).await else {
                continue;
            };
            let Some(new) = text.strip_prefix(shown.as_slice()).filter(|new| !new.is_empty()) else {
                continue;
            };
            let decoded = decoder.push(new);
            if !decoded.is_empty() {
                out.piece(&decoded, first);
                first = false;
            }
            shown = text;
        }
        sleep(POLL).await;
    }
}

/// Decodes UTF-8 that arrives in pieces, which may end within a character.
#[derive(Default)]
struct Utf8Decoder {
    incomplete: Vec<u8>,
}

impl Utf8Decoder {
    /// Returns the characters that are complete with `bytes`; invalid UTF-8 is replaced.
    fn push(&mut self, bytes: &[u8]) -> String {
        self.incomplete.extend_from_slice(bytes);
        let mut text = String::new();
        let mut end = 0;
        for chunk in self.incomplete.utf8_chunks() {
            text.push_str(chunk.valid());
            end += chunk.valid().len();
            let invalid = chunk.invalid();
            let is_last = end + invalid.len() == self.incomplete.len();
            if is_last && is_incomplete(invalid) {
                break;
            }
            if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                end += invalid.len();
            }
        }
        self.incomplete.drain(..end);
        text
    }
}

/// Whether `bytes` can be continued to a character.
fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_decoded_whole_when_pieces_split_them() {
        let text = "añ€😀b";
        for size in 1..5 {
            let mut decoder = Utf8Decoder::default();
            let decoded: String = text.as_bytes().chunks(size).map(|piece| decoder.push(piece)).collect();
            assert_eq!(decoded, text, "pieces of {size} bytes");
        }
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.push(b"a\xff\xc3"), "a\u{fffd}");
        assert_eq!(decoder.push(b"b\xa9"), "\u{fffd}b\u{fffd}");
    }
}
