// SPDX-License-Identifier: Apache-2.0
//! A decoder of the Llama, Qwen and Gemma families, on any [`Backend`].
//!
//! | module | what is in it |
//! |---|---|
//! | `load` | a decoder out of a file's or a chain model's parts |
//! | `block` | one block: its weights, and what it computes |
//! | `rope` | the frequencies of rotary positions |
//! | `session` | a sequence that is read and continued |

pub(crate) mod block;
mod load;
mod rope;
mod session;

pub use load::Parts;
pub use session::{Operation, Session, TOGETHER};

use crate::{
    backend::{Backend, Cpu, Heads},
    files::ModelConfig,
};
use block::{Block, Head};
use std::sync::Arc;

/// A model whose weights a backend holds, ready for sessions.
pub struct Decoder<B: Backend = Cpu> {
    backend: B,
    config: Arc<ModelConfig>,
    embedding: B::Matrix,
    blocks: Vec<Block<B>>,
    norm: B::Rows,
    /// `None` = the embedding's matrix.
    head: Option<B::Matrix>,
    /// A frequency for each pair of a head, in blocks that see everything.
    frequencies: Vec<f32>,
    /// The same in blocks that see a window.
    local_frequencies: Vec<f32>,
}

impl<B: Backend> Decoder<B> {
    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Tokens of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.config.vocab
    }

    /// Most positions of a session.
    pub fn context(&self) -> usize {
        self.config.context
    }

    /// An empty sequence of at most `positions` tokens.
    pub fn session(&self, positions: usize) -> crate::Result<Session<'_, B>> {
        Session::new(self, positions)
    }

    fn head(&self) -> Head<'_, B> {
        Head {
            norm: &self.norm,
            eps: self.config.norm_eps,
            matrix: self.head.as_ref().unwrap_or(&self.embedding),
        }
    }

    fn heads(&self, local: bool) -> Heads {
        let c = &self.config;
        Heads {
            query: c.heads,
            key: c.kv_heads,
            width: c.head_dim,
            scale: c.query_scale,
            window: if local { c.window } else { None },
        }
    }
}
