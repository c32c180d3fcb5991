// SPDX-License-Identifier: Apache-2.0
//! The tokenizer of a model.

use super::{error::refuse, gguf::GgufTokenizer, library::guarded};
use crate::{
    error::Result,
    files::{metadata::Metadata, ModelFile, TextSource},
};

/// Maximum number of bytes of a `tokenizer.json`.
pub const MAX_TOKENIZER: usize = 64 << 20;
/// Maximum number of bytes of a text to be encoded.
pub const MAX_TEXT: usize = 4 << 20;

/// The tokenizer of a model.
#[derive(Clone)]
pub struct Tokenizer {
    pub(super) kind: Kind,
    pub(super) vocab: u32,
    bos: Option<u32>,
    ends: Vec<u32>,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// Byte-level: a token is a byte.
    Bytes,
    /// Of a GGUF file.
    Gguf(Box<GgufTokenizer>),
    /// Of a `tokenizer.json`.
    Json(Box<tokenizers::Tokenizer>),
}

/// Tokens that end an answer in addition to those of the configuration.
const ENDS: [&str; 10] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "<eos>",
    "</s>",
];

impl Tokenizer {
    /// Returns the tokenizer of byte-level models.
    ///
    /// Errors: a vocabulary of other than 256 tokens.
    pub fn bytes(vocab: u32) -> Result<Self> {
        if vocab != 256 {
            return refuse(format!("{vocab} tokens need a tokenizer.json"));
        }
        Ok(Self {
            kind: Kind::Bytes,
            vocab,
            bos: None,
            ends: Vec::new(),
        })
    }

    /// Reads a `tokenizer.json` for a model of `vocab` tokens.
    ///
    /// Errors: a malformed, unsupported or too long file.
    pub fn from_json(bytes: &[u8], vocab: u32) -> Result<Self> {
        if bytes.len() > MAX_TOKENIZER {
            return refuse(format!("{} bytes are too many", bytes.len()));
        }
        let (inner, ends) = guarded(|| {
            let inner = tokenizers::Tokenizer::from_bytes(bytes)?;
            let special = inner.get_added_tokens_decoder();
            let ends = ENDS
                .iter()
                .filter_map(|text| inner.token_to_id(text))
                .filter(|id| special.get(id).is_some_and(|token| token.special))
                .collect();
            Ok((inner, ends))
        })?;
        Ok(Self {
            kind: Kind::Json(Box::new(inner)),
            vocab,
            bos: None,
            ends,
        })
    }

    /// Reads the tokenizer of GGUF metadata for a model of `vocab` tokens.
    ///
    /// Errors: missing or malformed values, an unsupported tokenizer.
    pub fn from_gguf(metadata: &Metadata, vocab: u32) -> Result<Self> {
        let inner = GgufTokenizer::new(metadata, vocab)?;
        let ends = ENDS
            .iter()
            .filter_map(|text| inner.vocabulary().control(text.as_bytes()));
        Ok(Self {
            ends: ends.collect(),
            kind: Kind::Gguf(Box::new(inner)),
            vocab,
            bos: None,
        })
    }

    /// Reads the tokenizer of a model file or folder.
    ///
    /// Errors: as [`Tokenizer::from_gguf`] and [`Tokenizer::from_json`].
    pub fn from_model(file: &ModelFile) -> Result<Self> {
        let config = file.config();
        // Bounded by the configuration.
        let vocab = config.vocab as u32;
        let mut tokenizer = match file.text() {
            TextSource::Gguf(metadata) => Self::from_gguf(metadata, vocab)?,
            TextSource::Folder(folder) => Self::from_json(&folder.tokenizer_json()?, vocab)?,
        };
        tokenizer.bos = config.bos;
        for end in &config.ends {
            if !tokenizer.ends.contains(end) {
                tokenizer.ends.push(*end);
            }
        }
        Ok(tokenizer)
    }

    /// Returns the number of tokens of the vocabulary.
    pub fn vocab(&self) -> u32 {
        self.vocab
    }

    /// Returns the beginning-of-sequence token, if the model names one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Returns whether a token ends an answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Encodes a text; special tokens are recognised in it. `add_special`: whether to add the tokens that the model
    /// expects around every text, which rendered chat templates contain already.
    ///
    /// Errors: a too long text, a character without tokens, a token outside the vocabulary.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        if text.len() > MAX_TEXT {
            return refuse(format!("a text of {} bytes is too long", text.len()));
        }
        let tokens = match &self.kind {
            Kind::Bytes => text.bytes().map(u32::from).collect(),
            Kind::Gguf(inner) => inner.encode(text, add_special)?,
            Kind::Json(inner) => guarded(|| Ok(inner.encode_fast(text, add_special)?.get_ids().to_vec()))?,
        };
        if tokens.iter().any(|token| *token >= self.vocab) {
            return refuse("a token is outside the vocabulary");
        }
        Ok(tokens)
    }

    /// Decodes tokens to text, without special tokens; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        match &self.kind {
            Kind::Json(inner) => guarded(|| inner.decode(tokens, true)),
            Kind::Bytes | Kind::Gguf(_) => {
                let mut bytes = Vec::new();
                for token in tokens {
                    self.push_piece(*token, &mut bytes);
                }
                let bytes = match self.drops_first_space() && bytes.first() == Some(&b' ') {
                    true => &bytes[1..],
                    false => &bytes[..],
                };
                Ok(String::from_utf8_lossy(bytes).into_owned())
            }
        }
    }

    /// Appends the bytes of one token, unless the tokenizer is that of a `tokenizer.json`.
    pub(super) fn push_piece(&self, token: u32, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Bytes => out.extend(u8::try_from(token).ok()),
            Kind::Gguf(inner) => inner.push_piece(token, out),
            Kind::Json(_) => {}
        }
    }

    /// Returns whether encoding adds a space at the beginning of a text.
    pub(super) fn drops_first_space(&self) -> bool {
        match &self.kind {
            Kind::Gguf(inner) => inner.adds_space(),
            Kind::Bytes | Kind::Json(_) => false,
        }
    }
}
