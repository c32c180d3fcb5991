// SPDX-License-Identifier: Apache-2.0
//! Tokenizers of GGUF files.
//!
//! Special tokens are split out of a text first ([`Vocabulary::split`]). The remaining text is merged:
//! - `llama` (SentencePiece): spaces are replaced by U+2581; if the file says so, one is added at the beginning of the
//!   text and after each token that was split out. Pairs whose concatenation is a token are merged by descending score.
//!   A character without a token is encoded as its bytes.
//! - `gpt2` (byte-level BPE): the text is split ([`Splitter`]), its bytes are replaced by characters, and pairs are
//!   merged in the order of the file's list.

use super::{
    bytes::{byte_to_char, char_to_byte, Splitter},
    error::refuse,
    index::Index,
    merge::merge,
    vocabulary::{Fragment, TokenKind, Vocabulary},
};
use crate::{
    error::{Error, Result},
    files::metadata::{Metadata, Strings},
};
use std::sync::Arc;

/// The representation of a space in SentencePiece tokens.
const SPACE: &str = "\u{2581}";

/// The tokenizer of a GGUF file.
#[derive(Clone)]
pub struct GgufTokenizer {
    vocabulary: Vocabulary,
    bos: Option<u32>,
    eos: Option<u32>,
    method: Method,
}

#[derive(Clone)]
enum Method {
    /// SentencePiece: ranks of tokens, by descending score.
    Scores {
        ranks: Vec<i32>,
        adds_space: bool,
        unknown: Option<u32>,
    },
    /// Byte-level BPE: pairs of pieces, separated by a space, in the order of merging.
    Merges {
        merges: Arc<Strings>,
        index: Index,
        splitter: Arc<Splitter>,
    },
}

impl GgufTokenizer {
    /// Reads the tokenizer of a model with `vocab` tokens.
    pub fn new(metadata: &Metadata, vocab: u32) -> Result<Self> {
        let vocabulary = Vocabulary::new(metadata, vocab)?;
        let token = |name: &str| -> Result<Option<u32>> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            match metadata.u64(&key)? {
                None => Ok(None),
                Some(token) if token < vocabulary.len() as u64 => Ok(Some(token as u32)),
                Some(token) => refuse(format!("{key} {token} is not a token")),
            }
        };
        let flag = |name: &str, default: bool| -> Result<bool> {
            let value = metadata.bool(&format!("tokenizer.ggml.{name}"))?;
            Ok(value.unwrap_or(default))
        };
        let key = "tokenizer.ggml.model";
        let (method, adds_bos) = match metadata.str(key)? {
            Some("llama") => {
                let method = Method::Scores {
                    ranks: ranks(metadata, vocabulary.len())?,
                    adds_space: flag("add_space_prefix", true)?,
                    unknown: token("unknown")?,
                };
                (method, true)
            }
            Some("gpt2") => {
                let name = metadata.str("tokenizer.ggml.pre")?.unwrap_or_default();
                let splitter = Arc::new(Splitter::new(name)?);
                let adds_bos = splitter.adds_bos;
                (merges(metadata, splitter)?, adds_bos)
            }
            Some(other) => return refuse(format!("{key} {other:?} is not supported")),
            None => return refuse(format!("{key} is missing")),
        };
        let added = |name: &str, add: bool| match (add, token(name)?) {
            (false, _) => Ok(None),
            (true, None) => refuse(format!("the {name} token is added but not named")),
            (true, token) => Ok(token),
        };
        Ok(Self {
            bos: added("bos", flag("add_bos_token", adds_bos)?)?,
            eos: added("eos", flag("add_eos_token", false)?)?,
            vocabulary,
            method,
        })
    }

    /// Returns the tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Returns whether a space is added at the beginning of a text.
    pub fn adds_space(&self) -> bool {
        matches!(self.method, Method::Scores { adds_space, .. } if adds_space)
    }

    /// Encodes a text. `add_special`: whether to add the tokens that the file specifies for the ends of every text.
    ///
    /// Errors: a character without tokens.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        let mut tokens = Vec::new();
        tokens.extend(self.bos.filter(|_| add_special));
        let mut begins = true;
        for fragment in self.vocabulary.split(text) {
            match fragment {
                Fragment::Token(token) => tokens.push(token),
                Fragment::Text("") => {}
                Fragment::Text(text) => match &self.method {
                    Method::Scores {
                        ranks,
                        adds_space,
                        unknown,
                    } => {
                        let mark = if *adds_space && begins { SPACE } else { "" };
                        let text = format!("{mark}{}", text.replace(' ', SPACE));
                        self.merge_by_scores(&text, ranks, *unknown, &mut tokens)?;
                    }
                    Method::Merges {
                        merges,
                        index,
                        splitter,
                    } => {
                        for part in splitter.split(text) {
                            self.merge_by_list(
                                part,
                                splitter.whole_tokens,
                                |pair| index.find(merges, pair),
                                &mut tokens,
                            )?;
                        }
                    }
                },
            }
            begins = matches!(fragment, Fragment::Token(_));
        }
        tokens.extend(self.eos.filter(|_| add_special));
        Ok(tokens)
    }

    fn merge_by_scores(&self, text: &str, ranks: &[i32], unknown: Option<u32>, tokens: &mut Vec<u32>) -> Result<()> {
        let find = |piece: &str| self.vocabulary.find(piece.as_bytes());
        let mut pieces = Vec::new();
        let rank = |both: &str, _| find(both).map(|token| i64::from(ranks[token as usize]));
        merge(text, rank, &mut pieces);
        for piece in pieces {
            if let Some(token) = find(piece) {
                tokens.push(token);
                continue;
            }
            for byte in piece.bytes() {
                match find(&format!("<0x{byte:02X}>")).or(unknown) {
                    Some(token) => tokens.push(token),
                    None => return refuse(format!("no token for {piece:?}")),
                }
            }
        }
        Ok(())
    }

    fn merge_by_list(
        &self,
        part: &str,
        whole_tokens: bool,
        find_merge: impl Fn(&[u8]) -> Option<u32>,
        tokens: &mut Vec<u32>,
    ) -> Result<()> {
        let find = |piece: &str| self.vocabulary.find(piece.as_bytes());
        let text: String = part.bytes().map(byte_to_char).collect();
        if let Some(token) = find(&text).filter(|_| whole_tokens) {
            tokens.push(token);
            return Ok(());
        }
        let mut pieces = Vec::new();
        let rank = |both: &str, first: usize| {
            let pair = [&both[..first], " ", &both[first..]].concat();
            find_merge(pair.as_bytes()).map(i64::from)
        };
        merge(&text, rank, &mut pieces);
        for piece in pieces {
            match find(piece) {
                Some(token) => tokens.push(token),
                None => return refuse(format!("no token for {piece:?}")),
            }
        }
        Ok(())
    }

    /// Appends the bytes of a token; none if it is not text.
    pub fn push_piece(&self, token: u32, out: &mut Vec<u8>) {
        let Some((text, kind)) = self.vocabulary.get(token) else {
            return;
        };
        match (kind, &self.method) {
            (TokenKind::UserDefined, _) => out.extend_from_slice(text),
            (TokenKind::Normal, Method::Scores { .. }) => match core::str::from_utf8(text) {
                Ok(text) => out.extend_from_slice(text.replace(SPACE, " ").as_bytes()),
                Err(_) => out.extend_from_slice(text),
            },
            (TokenKind::Normal, Method::Merges { .. }) => {
                for c in String::from_utf8_lossy(text).chars() {
                    match char_to_byte(c) {
                        Some(byte) => out.push(byte),
                        None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
            }
            (TokenKind::Byte, _) => out.extend(byte_of(text)),
            (TokenKind::Unknown | TokenKind::Control | TokenKind::Unused, _) => {}
        }
    }
}

/// Returns the byte of a token such as `<0x0A>`.
fn byte_of(text: &[u8]) -> Option<u8> {
    let text = core::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// Returns the ranks of tokens: the order of their scores, reversed.
fn ranks(metadata: &Metadata, tokens: usize) -> Result<Vec<i32>> {
    let key = "tokenizer.ggml.scores";
    let Some(scores) = metadata.numbers(key)? else {
        return refuse(format!("{key} is missing"));
    };
    if scores.len() != tokens {
        return refuse(format!("{} scores for {tokens} tokens", scores.len()));
    }
    scores
        .iter()
        .map(|score| match score.as_f32() {
            Some(score) if score.is_finite() => Ok(!ordered(score)),
            _ => refuse("a score is not finite"),
        })
        .collect()
}

/// Maps finite numbers to integers of the same order; both zeros to the same one.
fn ordered(value: f32) -> i32 {
    let bits = (value + 0.0).to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// Reads the merges of a file; duplicates are refused.
fn merges(metadata: &Metadata, splitter: Arc<Splitter>) -> Result<Method> {
    let key = "tokenizer.ggml.merges";
    let Some(merges) = metadata.strings(key)? else {
        return refuse(format!("{key} is missing"));
    };
    let index = Index::new(merges).map_err(|merge| Error::Tokenizer(format!("merge {merge} is duplicated")))?;
    Ok(Method::Merges {
        merges: merges.clone(),
        index,
        splitter,
    })
}
