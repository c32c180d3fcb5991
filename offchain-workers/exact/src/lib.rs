// SPDX-License-Identifier: Apache-2.0
//! Exact kernels: every operation of a Llama-style decoder, forward and backward, with the same bits on every machine.
//!
//! *Exact* means that the result of an operation is one bit pattern, not an approximation within a tolerance: each
//! operation is defined as one sequence of IEEE-754 binary32 operations, its *canonical order*, given in the
//! documentation of its module. Every implementation that follows the canonical order returns the same bits, for any
//! instruction set, number of threads and batch size. Two parties that compute the same job can therefore compare
//! hashes of their results.
//!
//! # Terms
//! * *Canonical order*: the sequence of additions, multiplications, divisions, square roots and fused multiply-adds
//!   that defines the result of an operation.
//! * *FMA chain*, or *chain*: a sum accumulated sequentially, `acc = fma(a, b, acc)`, terms in ascending order.
//! * *Sixteen partial sums*: element `i` is added to partial sum `i mod 16`, the elements are zero padded, and the
//!   partial sums are folded pairwise 8-4-2-1 ([`reduce`]).
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`matmul`](mod@matmul) | products of binary32 matrices |
//! | [`quant`] | products with block-quantised weights |
//! | [`attention`] | causal attention of one head, forward and backward |
//! | [`norm`], [`softmax`], [`gated`], [`rope`], [`embedding`], [`loss`] | the other layers, forward and backward |
//! | [`sampling`], [`rng`] | sampling of tokens, and its counter-based random numbers |
//! | [`adamw`], [`topk`] | the optimiser, and the selection of large gradient elements |
//! | [`elementwise`], [`reduce`], [`math`], [`fma`] | elementwise arithmetic, reductions, functions, fused multiply-add |
//! | [`element`] | element types of stored tensors |
//! | [`referee`] | recomputation of a segment of a chain in software arithmetic |
//!
//! # Conventions
//! * Operations on slices take an [`Isa`] and return the same bits for each; an [`Isa`] that the processor lacks falls
//!   back to scalar code. Lanes and threads are distributed over *outputs* only.
//! * Slices are row-major. Shapes are written `[rows, columns]`; a wrong one is [`Error::Shape`].
//! * No operation on slices returns a NaN: it returns [`Error::NotANumber`] instead, and the contents of its outputs
//!   are unspecified. Infinities, denormals and signed zeros follow IEEE-754.
//! * No operation panics, whatever its arguments.
//!
//! # Example
//! ```
//! use agorai_exact::{matmul, Isa, PackedMatrix};
//!
//! // Three output features, two input features.
//! let weights = PackedMatrix::from_out_in(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let mut out = [0.0; 3];
//! for isa in Isa::available() {
//!     matmul(isa, &[10.0, 1.0], &weights, &mut out)?;
//!     assert_eq!(out, [12.0, 34.0, 56.0]);
//! }
//! # Ok::<(), agorai_exact::Error>(())
//! ```
//!
//! # Features
//! * `std` (default): vector code, chosen at run time, and hardware fused multiply-add. Without it the crate is
//!   `no_std` (with `alloc`) and uses software arithmetic, with the same results.
//!
//! # Assumptions
//! The floating-point environment is the default one: round to nearest, ties to even, denormals not flushed to zero.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[macro_use]
mod simd;

pub mod adamw;
pub mod attention;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod cpu;
pub mod element;
pub mod elementwise;
pub mod embedding;
mod error;
pub mod fma;
pub mod gated;
mod isa;
pub mod loss;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod quant;
pub mod reduce;
pub mod referee;
pub mod rng;
pub mod rope;
pub mod sampling;
pub mod softmax;
pub mod topk;

pub use error::{Error, Expected, Operation, Result};
pub use isa::Isa;
pub use matmul::{matmul, matmul_panels, matmul_transposed_a, PackedMatrix};
