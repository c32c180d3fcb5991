// SPDX-License-Identifier: Apache-2.0
//! The operations of a model, and the devices that execute them.
//!
//! A decoder is written once, against [`Backend`], and training once, against [`TrainingBackend`], which adds the
//! backward pass. A backend executes each operation in the canonical order of docs/numerics.md, so that every backend
//! produces the same bits; it chooses where rows and matrices are stored (in host memory, on a device) and how work is
//! parallelised. Each trait has a file here and one of the same name in every implementation.
//!
//! | trait | operations |
//! |---|---|
//! | [`Storage`] | associated types, transfers, copies, independent work |
//! | [`RowOps`] | RMS norm, sums, rotary embedding, gates |
//! | [`ProductOps`] | loading of matrices, embedding, linear layers |
//! | [`AttentionOps`] | cache of keys and values, attention |
//! | [`TrainingBackend`] | losses, backward passes, parameter gradients, AdamW |
//!
//! Shapes are row-major, the innermost dimension last; `[n, k]` is a matrix of n outputs and k inputs. An operation
//! refuses operands of any other shape than the documented ones with [`agorai_exact::Error`], and so it does NaNs.

mod attention;
mod cpu;
mod products;
mod rows;
mod storage;
mod training;

pub use attention::AttentionOps;
pub use cpu::{Cpu, Matrix};
pub use products::{MatrixRows, OnChunk, Product, ProductOps, CHUNK};
pub use rows::RowOps;
pub use storage::Storage;
pub use training::{AdamWState, Packing, Terms, TrainingBackend};

/// The operations of a decoder.
pub trait Backend: RowOps + ProductOps + AttentionOps {}

impl<B: RowOps + ProductOps + AttentionOps> Backend for B {}
