// SPDX-License-Identifier: Apache-2.0
//! Text to tokens and back.
//!
//! | vocabulary | tokens of the prompt | bytes of the output |
//! |---|---|---|
//! | 256, no tokenizer | its bytes | a byte for each token |
//! | a `tokenizer.json` | as that tokenizer encodes it | 4 bytes, little endian, for each token |
//!
//! The output of a model with a tokenizer is its token ids, not text: text can be tokenised in more
//! than one way, and the checker must see the very tokens that were sampled.

use crate::{Error, Result};
use agorai_primitives::job::{MAX_OUTPUT, MAX_TOKENS};

/// Most bytes of a `tokenizer.json`.
pub const MAX_TOKENIZER: usize = 64 << 20;

/// How one model reads and writes text.
#[derive(Clone)]
pub enum Tokenizer {
    /// A token is a byte.
    Bytes,
    /// A Hugging Face tokenizer with `vocab` tokens.
    Json {
        /// The tokenizer.
        inner: Box<tokenizers::Tokenizer>,
        /// Tokens of the model.
        vocab: u32,
    },
}

impl Tokenizer {
    /// The tokenizer of byte-level models; refused where the vocabulary is not 256.
    pub fn bytes(vocab: u32) -> Result<Self> {
        if vocab == 256 {
            Ok(Tokenizer::Bytes)
        } else {
            Err(Error::Tokenizer(format!(
                "{vocab} tokens need a tokenizer.json"
            )))
        }
    }

    /// Reads a `tokenizer.json` for a model of `vocab` tokens.
    pub fn from_json(bytes: &[u8], vocab: u32) -> Result<Self> {
        if bytes.len() > MAX_TOKENIZER {
            return Err(Error::Tokenizer(format!("{} bytes", bytes.len())));
        }
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| Error::Tokenizer(error.to_string()))?;
        Ok(Tokenizer::Json {
            inner: Box::new(inner),
            vocab,
        })
    }

    /// The tokens of a prompt.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<u32>> {
        match self {
            Tokenizer::Bytes => Ok(text.iter().map(|byte| u32::from(*byte)).collect()),
            Tokenizer::Json { inner, vocab } => {
                let text = std::str::from_utf8(text)
                    .map_err(|error| Error::Tokenizer(error.to_string()))?;
                let encoding = inner
                    .encode_fast(text, true)
                    .map_err(|error| Error::Tokenizer(error.to_string()))?;
                let tokens = encoding.get_ids().to_vec();
                if tokens.iter().any(|token| token >= vocab) {
                    return Err(Error::Tokenizer("a token is not the model's".into()));
                }
                Ok(tokens)
            }
        }
    }

    /// Most tokens whose output the chain takes.
    pub fn most_tokens(&self) -> usize {
        let bytes = match self {
            Tokenizer::Bytes => 1,
            Tokenizer::Json { .. } => 4,
        };
        (MAX_OUTPUT / bytes).min(MAX_TOKENS) as usize
    }

    /// Appends one token to an output.
    pub fn push(&self, output: &mut Vec<u8>, token: u32) {
        match self {
            // Samples of a byte-level model are below 256.
            Tokenizer::Bytes => output.push(token as u8),
            Tokenizer::Json { .. } => output.extend_from_slice(&token.to_le_bytes()),
        }
    }

    /// The tokens of an output, or `None` where it is none.
    pub fn tokens(&self, output: &[u8]) -> Option<Vec<u32>> {
        match self {
            Tokenizer::Bytes => Some(output.iter().map(|byte| u32::from(*byte)).collect()),
            Tokenizer::Json { vocab, .. } => {
                if !output.len().is_multiple_of(4) {
                    return None;
                }
                output
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .map(|token| (token < *vocab).then_some(token))
                    .collect()
            }
        }
    }

    /// The text of an output, for people; not part of any result.
    pub fn text(&self, output: &[u8]) -> Vec<u8> {
        match self {
            Tokenizer::Bytes => output.to_vec(),
            Tokenizer::Json { inner, .. } => self
                .tokens(output)
                .and_then(|tokens| inner.decode(&tokens, true).ok())
                .unwrap_or_default()
                .into_bytes(),
        }
    }
}
