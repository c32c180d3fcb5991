// SPDX-License-Identifier: Apache-2.0
//! A decoder of the Llama, Qwen and Gemma families, on any [`Backend`](crate::backend::Backend).
//!
//! | module | contents |
//! |---|---|
//! | `operation` | the operations of a block that a trace covers or reveals |
//! | `block` | one block: its weights and its forward pass |
//! | `load` | the decoder, loaded from a [`WeightSource`](crate::weights::WeightSource) |
//! | `session` | a sequence of tokens with its cache of keys and values |

pub(crate) mod block;
mod load;
mod operation;
mod session;

pub use load::Decoder;
pub use operation::Operation;
pub use session::{Session, MAX_BATCH_TOKENS};
