// SPDX-License-Identifier: Apache-2.0
//! The tokens of a GGUF file.

use super::{error::refuse, index::Index};
use crate::{
    error::{Error, Result},
    files::metadata::{Metadata, Strings},
};
use std::sync::Arc;

/// The kinds of tokens with their GGUF numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Text.
    Normal = 1,
    /// The token of text without tokens.
    Unknown = 2,
    /// A control token, not text.
    Control = 3,
    /// Text that is split out before merging.
    UserDefined = 4,
    /// Unused.
    Unused = 5,
    /// A byte.
    Byte = 6,
}

impl TokenKind {
    fn from_number(number: u64) -> Option<Self> {
        use TokenKind::*;
        [Normal, Unknown, Control, UserDefined, Unused, Byte]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }

    /// Returns whether tokens of this kind are split out of a text before merging.
    fn is_split_out(self) -> bool {
        use TokenKind::*;
        matches!(self, Unknown | Control | UserDefined)
    }
}

/// A fragment of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// Text to be merged.
    Text(&'a str),
    /// A token.
    Token(u32),
}

/// The tokens of a GGUF file.
#[derive(Clone)]
pub struct Vocabulary {
    texts: Arc<Strings>,
    kinds: Vec<TokenKind>,
    index: Index,
    /// The lengths of tokens that are split out, descending.
    lengths: Vec<usize>,
    /// Whether any such token begins with each byte.
    begins: [bool; 256],
}

impl Vocabulary {
    /// Reads the tokens of GGUF metadata for a model of `vocab` tokens.
    ///
    /// Errors: no or too many tokens, two tokens with the same text, unknown kinds or another number of them.
    pub fn new(metadata: &Metadata, vocab: u32) -> Result<Self> {
        let key = "tokenizer.ggml.tokens";
        let Some(texts) = metadata.strings(key)? else {
            return refuse(format!("{key} is missing"));
        };
        if texts.is_empty() || texts.len() > vocab as usize {
            return refuse(format!("{} tokens exceed the vocabulary of {vocab}", texts.len()));
        }
        let kinds = match metadata.numbers("tokenizer.ggml.token_type")? {
            None => vec![TokenKind::Normal; texts.len()],
            Some(numbers) if numbers.len() == texts.len() => numbers
                .iter()
                .map(|number| number.as_u64().and_then(TokenKind::from_number))
                .collect::<Option<_>>()
                .ok_or_else(|| Error::Tokenizer("a token's type does not exist".into()))?,
            Some(numbers) => return refuse(format!("{} types for {} tokens", numbers.len(), texts.len())),
        };
        let index = Index::new(texts).or_else(|token| {
            let text = texts.get(token).unwrap_or_default();
            refuse(format!("token {:?} is duplicated", String::from_utf8_lossy(text)))
        })?;
        let mut lengths = Vec::new();
        let mut begins = [false; 256];
        for (text, kind) in texts.iter().zip(&kinds) {
            // Tokens are split out of UTF-8, so others cannot occur.
            if let (true, Some(first), Ok(_)) = (kind.is_split_out(), text.first(), core::str::from_utf8(text)) {
                lengths.push(text.len());
                begins[usize::from(*first)] = true;
            }
        }
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Ok(Self {
            texts: texts.clone(),
            kinds,
            index,
            lengths,
            begins,
        })
    }

    /// Returns the number of tokens.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Returns whether there are no tokens, which is never the case.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Returns the text and the kind of a token.
    pub fn get(&self, token: u32) -> Option<(&[u8], TokenKind)> {
        let text = self.texts.get(token as usize)?;
        Some((text, *self.kinds.get(token as usize)?))
    }

    /// Returns the token with a text.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        self.index.find(&self.texts, text)
    }

    /// Returns the control token with a text.
    pub fn control(&self, text: &[u8]) -> Option<u32> {
        self.find(text)
            .filter(|token| self.kinds[*token as usize] == TokenKind::Control)
    }

    /// Splits tokens out of a text: the longest ones first in the whole text, those of one length from left to right.
    pub fn split<'a>(&self, text: &'a str) -> Vec<Fragment<'a>> {
        let mut fragments = vec![Fragment::Text(text)];
        for length in &self.lengths {
            let mut next = Vec::with_capacity(fragments.len());
            for fragment in fragments {
                match fragment {
                    Fragment::Text(text) => self.split_length(text, *length, &mut next),
                    token => next.push(token),
                }
            }
            fragments = next;
        }
        fragments
    }

    /// Splits tokens of one length out of a text.
    fn split_length<'a>(&self, text: &'a str, length: usize, out: &mut Vec<Fragment<'a>>) {
        let mut from = 0;
        let mut at = 0;
        while at + length <= text.len() {
            let part = &text.as_bytes()[at..at + length];
            let token = self.begins[usize::from(part[0])]
                .then(|| self.find(part))
                .flatten()
                .filter(|token| self.kinds[*token as usize].is_split_out());
            match token {
                None => at += 1,
                Some(token) => {
                    if from < at {
                        out.push(Fragment::Text(&text[from..at]));
                    }
                    out.push(Fragment::Token(token));
                    at += length;
                    from = at;
                }
            }
        }
        if from < text.len() {
            out.push(Fragment::Text(&text[from..]));
        }
    }
}
