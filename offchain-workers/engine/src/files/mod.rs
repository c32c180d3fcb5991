// SPDX-License-Identifier: Apache-2.0
//! Published models as files: GGUF, and folders of safetensors.
//!
//! Files are untrusted: every count and length is checked against the remaining bytes before anything of its size is
//! allocated, and unknown settings and tensors are refused by name, because they could change results.
//!
//! | module | contents |
//! |---|---|
//! | [`source`] | random access to the bytes of a file |
//! | [`element`] | GGUF's numbers and safetensors' names of element types |
//! | [`gguf`] | GGUF headers: metadata and places of tensors |
//! | [`metadata`] | the values of GGUF metadata |
//! | [`places`] | the places of tensors in a file |
//! | [`writer`] | a writer of GGUF files, for tests |
//! | [`safetensors`] | headers of safetensors files |
//! | [`folder`] | the files of a Hugging Face model |
//! | `names` | the names of tensors |
//! | `config_gguf`, `config_json` | the [`ModelConfig`](crate::config::ModelConfig) of a file |
//! | [`tensors`] | [`ModelFile`]: the configuration and the tensors of a model |

mod config_gguf;
mod config_json;
pub mod element;
mod error;
pub mod folder;
pub mod gguf;
pub mod metadata;
mod names;
pub mod places;
pub mod safetensors;
pub mod source;
pub mod tensors;
pub mod writer;

pub use agorai_exact::element::{BlockFormat, ElementType};
pub use error::{FileError, Result};
pub use gguf::Gguf;
pub use source::{FileSource, Source};
pub use tensors::{ModelFile, TextSource};
