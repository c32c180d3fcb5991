// SPDX-License-Identifier: Apache-2.0
//! Conversion between text and tokens, and from conversations to text.
//!
//! | model | tokenizer |
//! |---|---|
//! | 256 tokens and no tokenizer | a token is a byte |
//! | a GGUF file whose `tokenizer.ggml.model` is `llama` | SentencePiece: pieces merged by score ([`merge`]) |
//! | a GGUF file whose `tokenizer.ggml.model` is `gpt2` | byte-level BPE: bytes merged by a list ([`bytes`]) |
//! | a `tokenizer.json` | the crate `tokenizers` |
//!
//! | module | contents |
//! |---|---|
//! | [`merge`] | pair merging, shared by both kinds of GGUF tokenizers |
//! | [`bytes`] | bytes as characters, and the splitting of text before merging |
//! | `index` | a hash table of strings |
//! | [`vocabulary`] | the tokens of a GGUF file |
//! | [`gguf`] | tokenizers of GGUF files |
//! | `library` | calls to the crate `tokenizers` |
//! | `tokenizer` | [`Tokenizer`], the tokenizer of a model |
//! | [`job`] | prompts and outputs of the chain's jobs |
//! | [`stream`] | streaming decoding |
//! | [`template`] | chat templates |

pub mod bytes;
mod error;
pub mod gguf;
mod index;
pub mod job;
mod library;
pub mod merge;
pub mod stream;
pub mod template;
mod tokenizer;
pub mod vocabulary;

pub use stream::Stream;
pub use template::{ChatTemplate, Message};
pub use tokenizer::{Tokenizer, MAX_TOKENIZER};
