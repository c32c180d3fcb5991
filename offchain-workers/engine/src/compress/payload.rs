// SPDX-License-Identifier: Apache-2.0
//! The encoding of a compressed pseudo-gradient.
//!
//! | part | bytes |
//! |---|---|
//! | magic `agorai/payload/1` | 16 |
//! | values retained of 4096, 0 = dense | 2 |
//! | dense: all values, binary32 | 4 for each |
//! | sparse, for each chunk: table of 4 binary32 | 16 |
//! | ... indices, 12 bits each, ascending | |
//! | ... codes, 2 bits each | |
//!
//! All numbers are little endian. The encoding of a pseudo-gradient is unique: decoding refuses any other length, order
//! or padding, and values that are not finite.

use super::{
    bits,
    chunks::{self, Chunk},
    quantise::QuantisedChunk,
};
use crate::{
    bytes::{extend_from_le_bytes, extend_le_bytes},
    error::{Error, Result},
    weights::Layout,
};
use agorai_primitives::{model::Architecture, training::Compression};

const MAGIC: &[u8; 16] = b"agorai/payload/1";
const HEADER: usize = MAGIC.len() + 2;
const TABLE: usize = 16;
const INDEX_BITS: u32 = 12;
const CODE_BITS: u32 = 2;

fn header(top: u16) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&top.to_le_bytes());
    bytes
}

/// Encodes a dense pseudo-gradient.
pub(super) fn dense(delta: &[f32]) -> Vec<u8> {
    let mut bytes = header(0);
    extend_le_bytes(&mut bytes, delta);
    bytes
}

/// Encodes a sparse pseudo-gradient chunk by chunk.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(top: u16) -> Self {
        Self(header(top))
    }

    pub(super) fn chunk(&mut self, values: &QuantisedChunk) {
        extend_le_bytes(&mut self.0, &values.table);
        bits::write(&mut self.0, INDEX_BITS, values.indices.iter().copied());
        let codes = values.codes.iter().map(|code| u32::from(*code));
        bits::write(&mut self.0, CODE_BITS, codes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

fn chunk_bytes(retained: usize) -> usize {
    TABLE + bits::bytes(retained, INDEX_BITS) + bits::bytes(retained, CODE_BITS)
}

/// Returns the length of every payload of a layout.
fn payload_bytes(layout: &Layout, compression: Compression) -> usize {
    HEADER
        + match compression {
            Compression::Dense => 4 * layout.len(),
            Compression::TopK { top } => chunks::of(layout).map(|chunk| chunk_bytes(chunk.retained(top))).sum(),
        }
}

/// Returns the length of every payload of an architecture, which must be valid, under a compression.
pub fn max_bytes(architecture: &Architecture, compression: Compression) -> u64 {
    payload_bytes(&Layout::new(architecture), compression) as u64
}

fn refuse<T>(reason: &'static str) -> Result<T> {
    Err(Error::Payload(reason))
}

/// Decodes an untrusted payload to one finite value for each parameter.
///
/// Errors: any other bytes than the encoding of a pseudo-gradient of this layout under this compression.
pub fn decode(layout: &Layout, compression: Compression, bytes: &[u8]) -> Result<Vec<f32>> {
    let top = match compression {
        Compression::Dense => 0,
        Compression::TopK { top } => top,
    };
    if bytes.len() != payload_bytes(layout, compression) {
        return refuse("the length differs from the recipe's");
    }
    let Some(body) = bytes.strip_prefix(&header(top)[..]) else {
        return refuse("the header differs from the recipe's");
    };
    let values = if top == 0 {
        let mut values = Vec::with_capacity(layout.len());
        extend_from_le_bytes(&mut values, body);
        values
    } else {
        sparse(layout, top, body)?
    };
    if !values.iter().all(|value| value.is_finite()) {
        return refuse("a value is not finite");
    }
    Ok(values)
}

fn sparse(layout: &Layout, top: u16, body: &[u8]) -> Result<Vec<f32>> {
    let mut values = vec![0.0; layout.len()];
    let mut rest = body;
    for chunk in chunks::of(layout) {
        let Some((here, after)) = rest.split_at_checked(chunk_bytes(chunk.retained(top))) else {
            return refuse("the payload is too short");
        };
        rest = after;
        read_chunk(&chunk, top, here, &mut values)?;
    }
    Ok(values)
}

fn read_chunk(chunk: &Chunk, top: u16, bytes: &[u8], values: &mut [f32]) -> Result<()> {
    let retained = chunk.retained(top);
    let (table_bytes, rest) = bytes.split_at(TABLE);
    let (index_bytes, code_bytes) = rest.split_at(bits::bytes(retained, INDEX_BITS));
    let mut table = Vec::with_capacity(4);
    extend_from_le_bytes(&mut table, table_bytes);
    let (Some(indices), Some(codes)) = (
        bits::read(index_bytes, INDEX_BITS, retained),
        bits::read(code_bytes, CODE_BITS, retained),
    ) else {
        return refuse("padding is not zero");
    };
    let mut used = [false; 4];
    let mut least = 0;
    for (index, code) in indices.iter().zip(&codes) {
        let (index, code) = (*index as usize, *code as usize);
        if index < least || index >= chunk.len() {
            return refuse("indices do not ascend within their chunk");
        }
        least = index + 1;
        used[code] = true;
        values[chunk.parameter(index)] = table[code];
    }
    if (0..4).any(|code| !used[code] && table[code].to_bits() != 0) {
        return refuse("an unused table entry is not zero");
    }
    Ok(())
}
