// SPDX-License-Identifier: Apache-2.0
//! The CPU backend: rows are vectors in memory, matrices are packed for the kernels of `agorai-exact`, work is
//! parallelised over the threads of a [`ComputeConfig`](crate::parallel::ComputeConfig).
//!
//! A product of several rows is split by rows, one of a single row is split by outputs, and so is a product that is
//! computed in chunks; no split changes a bit.

mod attention;
mod heads;
mod products;
mod rows;
mod storage;
mod training;

pub use storage::{Cpu, Matrix};
