// SPDX-License-Identifier: Apache-2.0
//! The encoding of the error feedback.

use crate::{
    bytes::{extend_from_le_bytes, extend_le_bytes},
    weights::Layout,
};

const MAGIC: &[u8; 16] = b"agorai/feedback1";

/// Encodes an error-feedback buffer.
pub fn encode_feedback(feedback: &[f32]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    extend_le_bytes(&mut bytes, feedback);
    bytes
}

/// Decodes an untrusted error-feedback buffer: empty, or one finite value for each parameter.
///
/// Any other bytes count as empty. No honest worker stores such a blob, and counting it as empty keeps the worker's
/// next contribution defined, so that it can still be audited.
pub fn decode_feedback(layout: &Layout, bytes: &[u8]) -> Vec<f32> {
    let Some(body) = bytes.strip_prefix(MAGIC) else {
        return Vec::new();
    };
    if body.len() != 4 * layout.len() {
        return Vec::new();
    }
    let mut values = Vec::with_capacity(layout.len());
    extend_from_le_bytes(&mut values, body);
    if values.iter().all(|value| value.is_finite()) {
        values
    } else {
        Vec::new()
    }
}
