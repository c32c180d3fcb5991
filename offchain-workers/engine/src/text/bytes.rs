// SPDX-License-Identifier: Apache-2.0
//! Byte-level BPE: every byte is represented by one visible character (GPT-2's table), and text is split by a regular
//! expression before it is merged.

use super::error::refuse;
use crate::error::{Error, Result};
use tokenizers::utils::SysRegex;

/// Returns the character that represents a byte: the byte itself if visible, else the next free character from U+0100
/// on.
pub fn byte_to_char(byte: u8) -> char {
    match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        0..=b' ' => nth_free(u32::from(byte)),
        0x7f..=0xa0 => nth_free(33 + u32::from(byte - 0x7f)),
        0xad => nth_free(67),
    }
}

fn nth_free(number: u32) -> char {
    // Below U+0144.
    char::from_u32(0x100 + number).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the byte that a character represents.
pub fn char_to_byte(c: char) -> Option<u8> {
    match u32::from(c) {
        number @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(number as u8),
        number @ 0x100..=0x120 => Some((number - 0x100) as u8),
        number @ 0x121..=0x142 => Some((number - 0x121) as u8 + 0x7f),
        0x143 => Some(0xad),
        _ => None,
    }
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DIGIT: &str = r"\p{N}";

/// Splits text before merging.
pub struct Splitter {
    /// Each splits the parts of the previous one.
    steps: Vec<SysRegex>,
    /// Whether a part that is a token is not merged any further.
    pub whole_tokens: bool,
    /// Whether the beginning-of-sequence token is added if the file does not specify it.
    pub adds_bos: bool,
}

impl Splitter {
    /// Returns the splitter with a name of the GGUF key `tokenizer.ggml.pre`.
    ///
    /// Errors: an unknown name.
    pub fn new(name: &str) -> Result<Self> {
        let (steps, llama): (&[_], _) = match name {
            "gpt-2" => (&[GPT2], false),
            "llama-bpe" | "llama3" | "llama-v3" => (&[LLAMA3], true),
            "qwen2" | "deepseek-r1-qwen" => (&[QWEN2], false),
            "smollm" => (&[DIGIT, GPT2], false),
            other => return refuse(format!("tokenizer.ggml.pre {other:?} is not supported")),
        };
        Ok(Self {
            steps: steps
                .iter()
                .map(|step| SysRegex::new(step))
                .collect::<core::result::Result<_, _>>()
                .map_err(|error| Error::Tokenizer(error.to_string()))?,
            whole_tokens: llama,
            adds_bos: llama,
        })
    }

    /// Splits a text; the concatenation of the parts is the text.
    pub fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut parts = vec![text];
        for step in &self.steps {
            let mut next = Vec::with_capacity(parts.len());
            for part in parts {
                let mut end = 0;
                for (from, to) in step.find_iter(part) {
                    next.extend([&part[end..from], &part[from..to]]);
                    end = to;
                }
                next.push(&part[end..]);
            }
            next.retain(|part| !part.is_empty());
            parts = next;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        for byte in 0..=255 {
            assert_eq!(char_to_byte(byte_to_char(byte)), Some(byte));
        }
        assert_eq!([b' ', b'\n', 0xad].map(byte_to_char), ['Ġ', 'Ċ', 'Ń']);
        assert_eq!(
            (0..0x500).filter_map(char::from_u32).filter_map(char_to_byte).count(),
            256
        );
    }

    #[test]
    fn text_is_split_as_each_family_splits_it() {
        let text = "It's 2024:  a\n\n b";
        for (name, parts) in [
            ("gpt-2", &["It", "'s", " 2024", ":", " ", " a", "\n\n", " b"][..]),
            (
                "smollm",
                &["It", "'s", " ", "2", "0", "2", "4", ":", " ", " a", "\n\n", " b"],
            ),
            (
                "qwen2",
                &["It", "'s", " ", "2", "0", "2", "4", ":", " ", " a", "\n\n", " b"],
            ),
            (
                "llama-bpe",
                &["It", "'s", " ", "202", "4", ":", " ", " a", "\n\n", " b"],
            ),
        ] {
            assert_eq!(Splitter::new(name).unwrap().split(text), parts, "{name}");
        }
        assert!(Splitter::new("default").is_err());
    }
}
