// SPDX-License-Identifier: Apache-2.0
//! The weights of a model: the parameters of a chain model in one flat buffer of binary32, and the sources from which a
//! decoder loads them.
//!
//! | module | contents |
//! |---|---|
//! | `layout` | the range of each tensor in the flat buffer |
//! | `flat` | [`Weights`], the parameters of a chain model |
//! | `init` | initial weights from a seed |
//! | `file` | the canonical safetensors file |
//! | `import` | checkpoints of other programs |
//! | `source` | [`WeightSource`]: what a decoder loads from |

mod file;
mod flat;
mod import;
mod init;
mod layout;
mod source;

pub use file::max_bytes;
pub use flat::Weights;
pub use layout::{Layout, Slot};
pub(crate) use source::FlatSource;
pub use source::WeightSource;
