// SPDX-License-Identifier: Apache-2.0
//! Prompts and outputs of the chain's jobs.
//!
//! | vocabulary | tokens of the prompt | bytes of the output |
//! |---|---|---|
//! | 256, no tokenizer | its bytes | 1 byte for each token |
//! | any other | the tokenizer's encoding | 4 little-endian bytes for each token |
//!
//! The output of a model with a tokenizer is its token ids, not text: a text has more than one tokenisation, and the
//! check needs the sampled tokens.

use super::tokenizer::{Kind, Tokenizer};
use crate::error::{Error, Result};
use agorai_primitives::job::{MAX_OUTPUT, MAX_TOKENS};

impl Tokenizer {
    /// Encodes a prompt.
    ///
    /// Errors: a prompt that is not UTF-8 or cannot be encoded.
    pub fn prompt(&self, prompt: &[u8]) -> Result<Vec<u32>> {
        match &self.kind {
            Kind::Bytes => Ok(prompt.iter().map(|byte| u32::from(*byte)).collect()),
            Kind::Gguf(_) | Kind::Json(_) => {
                let text = core::str::from_utf8(prompt).map_err(|error| Error::Tokenizer(error.to_string()))?;
                self.encode(text, true)
            }
        }
    }

    /// Returns the maximum number of tokens of an output on the chain.
    pub fn max_tokens(&self) -> usize {
        let bytes = match &self.kind {
            Kind::Bytes => 1,
            Kind::Gguf(_) | Kind::Json(_) => 4,
        };
        (MAX_OUTPUT / bytes).min(MAX_TOKENS) as usize
    }

    /// Appends one token to an output.
    pub fn push(&self, output: &mut Vec<u8>, token: u32) {
        match &self.kind {
            // Tokens of a byte-level model are below 256.
            Kind::Bytes => output.push(token as u8),
            Kind::Gguf(_) | Kind::Json(_) => output.extend_from_slice(&token.to_le_bytes()),
        }
    }

    /// Decodes an output to tokens. Returns `None` if it is malformed.
    pub fn tokens(&self, output: &[u8]) -> Option<Vec<u32>> {
        match &self.kind {
            Kind::Bytes => Some(output.iter().map(|byte| u32::from(*byte)).collect()),
            Kind::Gguf(_) | Kind::Json(_) => {
                if !output.len().is_multiple_of(4) {
                    return None;
                }
                output
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .map(|token| (token < self.vocab).then_some(token))
                    .collect()
            }
        }
    }

    /// Decodes an output to text for display; not part of any result.
    pub fn text(&self, output: &[u8]) -> Vec<u8> {
        match &self.kind {
            Kind::Bytes => output.to_vec(),
            Kind::Gguf(_) | Kind::Json(_) => self
                .tokens(output)
                .and_then(|tokens| self.decode(&tokens).ok())
                .unwrap_or_default()
                .into_bytes(),
        }
    }
}
