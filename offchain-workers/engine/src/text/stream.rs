// SPDX-License-Identifier: Apache-2.0
//! Streaming decoding: a character whose bytes are split among tokens is returned with its last token.

use super::{
    library::guarded,
    tokenizer::{Kind, Tokenizer},
};
use crate::error::Result;

/// A streaming decoder.
pub struct Stream<'a> {
    tokenizer: &'a Tokenizer,
    /// Bytes of incomplete characters.
    bytes: Vec<u8>,
    /// Whether to remove a space at the beginning of the text, because encoding adds one.
    begins: bool,
    /// State of the crate `tokenizers`.
    ids: Vec<u32>,
    prefix: String,
    prefix_index: usize,
}

impl Tokenizer {
    /// Returns a streaming decoder.
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(self)
    }
}

impl<'a> Stream<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            bytes: Vec::new(),
            begins: tokenizer.drops_first_space(),
            ids: Vec::new(),
            prefix: String::new(),
            prefix_index: 0,
        }
    }

    /// Returns the text that a token completes; may be empty.
    pub fn push(&mut self, token: u32) -> Result<String> {
        if let Kind::Json(inner) = &self.tokenizer.kind {
            let text = guarded(|| {
                tokenizers::step_decode_stream(
                    inner,
                    vec![token],
                    true,
                    &mut self.ids,
                    &mut self.prefix,
                    &mut self.prefix_index,
                )
            })?;
            return Ok(text.unwrap_or_default());
        }
        self.tokenizer.push_piece(token, &mut self.bytes);
        if self.begins && !self.bytes.is_empty() {
            self.begins = false;
            if self.bytes[0] == b' ' {
                self.bytes.remove(0);
            }
        }
        Ok(self.take_characters())
    }

    /// Returns the remaining text; bytes that are not UTF-8 become U+FFFD.
    pub fn finish(mut self) -> Result<String> {
        if let Kind::Json(inner) = &self.tokenizer.kind {
            let text = guarded(|| inner.decode(&self.ids, true))?;
            return Ok(text.get(self.prefix.len()..).unwrap_or_default().into());
        }
        let text = self.take_characters();
        Ok(text + &String::from_utf8_lossy(&self.bytes))
    }

    /// Removes and returns all complete characters; invalid bytes become U+FFFD.
    fn take_characters(&mut self) -> String {
        let mut text = String::new();
        loop {
            match core::str::from_utf8(&self.bytes) {
                Ok(all) => {
                    text.push_str(all);
                    self.bytes.clear();
                    return text;
                }
                Err(error) => {
                    let whole = error.valid_up_to();
                    let wrong = error.error_len();
                    text.push_str(&String::from_utf8_lossy(&self.bytes[..whole]));
                    self.bytes.drain(..whole + wrong.unwrap_or(0));
                    match wrong {
                        Some(_) => text.push(char::REPLACEMENT_CHARACTER),
                        None => return text,
                    }
                }
            }
        }
    }
}
