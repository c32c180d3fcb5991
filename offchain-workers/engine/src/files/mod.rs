// SPDX-License-Identifier: Apache-2.0
//! Published models as files: GGUF, and folders of safetensors.
//!
//! Files from outside are hostile: every count and length is checked against the bytes that are left
//! before anything of its size is allocated, and whatever is not understood is refused by name.
//!
//! | module | what is in it |
//! |---|---|
//! | [`source`] | bytes that are read where they lie |
//! | [`element`] | GGUF's numbers and safetensors' names of element types |
//! | [`gguf`] | GGUF: metadata and places of tensors |
//! | [`metadata`] | the values of GGUF's metadata |
//! | [`places`] | where tensors stand |
//! | [`writer`] | GGUF files made by us |
//! | [`safetensors`] | headers of safetensors files |
//! | [`folder`] | Hugging Face's folder of a model |
//! | [`config`] | what a decoder must know of a model |
//! | [`tensors`] | the parts of a model, by one set of names |

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
