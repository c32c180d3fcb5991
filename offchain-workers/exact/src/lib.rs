// SPDX-License-Identifier: Apache-2.0
//! Exact kernels: every operation of a Llama-style model, forward and backward, in one canonical
//! order of IEEE-754 binary32 operations.
//!
//! # Words
//! * *canonical order*: the one sequence of additions, multiplications, divisions, square roots and
//!   fused multiply-adds that defines an operation's result. Each operation's order is in its doc
//!   comment; any implementation that follows it produces the same bits.
//! * *chain*: a sum held in one accumulator, `acc = fma(a, b, acc)`, terms in ascending order.
//! * *sixteen partial sums*: element `i` goes to partial `i mod 16`, the end zero padded, then
//!   the partials are folded pairwise 8-4-2-1 ([`reduce`]).
//!
//! # Rules
//! * Every operation takes an [`Isa`] and gives the same bits for each of them; an [`Isa`] that the
//!   processor lacks falls back to scalar code. Lanes and threads only ever run over *outputs*.
//! * Slices are row-major; shapes are checked and a wrong one is [`Error::Shape`].
//! * A NaN never leaves an operation: it is [`Error::NotANumber`], after which the contents of the
//!   outputs are unspecified. Infinities, denormals and signed zeros follow IEEE-754.
//! * No operation panics on its arguments.
//!
//! # Example
//! ```
//! use agorai_exact::{matmul, Isa, PackedMatrix};
//!
//! // Two inputs, three outputs; weights stored output by input.
//! let weights = PackedMatrix::from_out_in(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let mut out = [0.0; 3];
//! for isa in Isa::available() {
//!     matmul(isa, &[10.0, 1.0], &weights, &mut out)?;
//!     assert_eq!(out, [12.0, 34.0, 56.0]);
//! }
//! # Ok::<(), agorai_exact::Error>(())
//! ```
//!
//! # Assumptions
//! The floating-point environment is the default one: round to nearest, ties to even, denormals
//! kept.
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

pub use error::{Error, Result};
pub use isa::Isa;
pub use matmul::{matmul, matmul_panels, matmul_transposed_a, PackedMatrix};
