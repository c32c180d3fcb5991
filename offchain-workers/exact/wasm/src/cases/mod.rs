// SPDX-License-Identifier: Apache-2.0
//! One test case for every operation: random shapes and numbers, and the digest of the bits of the results.
//!
//! Compiled twice: for WebAssembly as the module's only content, and natively as a part of `tests/wasm.rs`.
//! A new operation is one line in [`CASES`].

mod draw;
mod layers;
mod products;
mod vectors;

use alloc::string::ToString;

use agorai_exact::{element::BlockFormat, elementwise, gated, math, reduce, Isa, Result};
use draw::{Digest, Draw};

/// A case: draws its inputs, runs an operation and adds its results to the digest.
pub type Case = fn(Isa, &mut Draw, &mut Digest) -> Result<()>;

/// The outcome of a case.
pub struct Outcome {
    /// The digest of all results, and of the error if there is one.
    pub digest: u64,
    /// Whether the operation accepted its inputs.
    #[allow(dead_code)] // Read by the native test only.
    pub accepted: bool,
}

/// Runs a case with a seed. An index outside [`CASES`] returns the digest of no results.
pub fn run(case: usize, isa: Isa, seed: u64) -> Outcome {
    let mut digest = Digest::default();
    let mut draw = Draw::new(seed);
    let result = match CASES.get(case) {
        Some((_, case)) => case(isa, &mut draw, &mut digest),
        None => Ok(()),
    };
    // After an error the outputs are unspecified, so only the error is added.
    match result {
        Ok(()) => digest.word(0),
        Err(error) => digest.text(&error.to_string()),
    }
    Outcome {
        digest: digest.finish(),
        accepted: result.is_ok(),
    }
}

/// Every operation.
pub const CASES: &[(&str, Case)] = &[
    ("fma and sqrt", vectors::fma_and_sqrt),
    ("exp", |i, d, o| vectors::function(i, d, o, math::exp, math::exp_slice)),
    ("ln", |i, d, o| vectors::function(i, d, o, math::ln, math::ln_slice)),
    ("sin", |i, d, o| vectors::function(i, d, o, math::sin, math::sin_slice)),
    ("cos", |i, d, o| vectors::function(i, d, o, math::cos, math::cos_slice)),
    ("tanh", |i, d, o| {
        vectors::function(i, d, o, math::tanh, math::tanh_slice)
    }),
    ("sigmoid", |i, d, o| {
        vectors::function(i, d, o, math::sigmoid, math::sigmoid_slice)
    }),
    ("silu", |i, d, o| {
        vectors::function(i, d, o, math::silu, math::silu_slice)
    }),
    ("silu derivative", |i, d, o| {
        vectors::function(i, d, o, math::silu_derivative, math::silu_derivative_slice)
    }),
    ("gelu", |i, d, o| {
        vectors::function(i, d, o, math::gelu, math::gelu_slice)
    }),
    ("gelu derivative", |i, d, o| {
        vectors::function(i, d, o, math::gelu_derivative, math::gelu_derivative_slice)
    }),
    ("add", |i, d, o| vectors::binary(i, d, o, elementwise::add)),
    ("sub", |i, d, o| vectors::binary(i, d, o, elementwise::sub)),
    ("mul", |i, d, o| vectors::binary(i, d, o, elementwise::mul)),
    ("add assign", |i, d, o| {
        vectors::update(i, d, o, elementwise::add_assign)
    }),
    ("axpy", |i, d, o| {
        vectors::update(i, d, o, |i, y, x| elementwise::axpy(i, x[0], x, y))
    }),
    ("decay and add", |i, d, o| {
        vectors::update(i, d, o, |i, y, x| elementwise::decay_add(i, x[0], y, x))
    }),
    ("scale", |i, d, o| {
        vectors::update(i, d, o, |i, y, x| elementwise::scale(i, x[0], y))
    }),
    ("add bias", vectors::add_bias),
    ("sum", |i, d, o| vectors::reduction(i, d, o, reduce::sum16)),
    ("mean", |i, d, o| vectors::reduction(i, d, o, reduce::mean)),
    ("dot product", |i, d, o| {
        vectors::reduction(i, d, o, |i, x| {
            reduce::dot16(i, &x[x.len() / 2..], &x[..x.len().div_ceil(2)])
        })
    }),
    ("sum of squares", |i, d, o| {
        vectors::reduction(i, d, o, reduce::sum_sq16)
    }),
    ("max", |i, d, o| vectors::reduction(i, d, o, reduce::max)),
    ("max abs", |i, d, o| vectors::reduction(i, d, o, reduce::max_abs)),
    ("argmax", |i, d, o| {
        vectors::reduction(i, d, o, |i, x| Ok(reduce::argmax(i, x)? as f32))
    }),
    ("top-k", vectors::top_k),
    ("random words", vectors::random_words),
    ("softmax", layers::softmax),
    ("rmsnorm", layers::rmsnorm),
    ("swiglu", |i, d, o| {
        layers::gated(i, d, o, gated::swiglu, gated::swiglu_backward)
    }),
    ("geglu", |i, d, o| {
        layers::gated(i, d, o, gated::geglu, gated::geglu_backward)
    }),
    ("cross entropy", layers::cross_entropy),
    ("embedding", layers::embedding),
    ("rope", layers::rope),
    ("attention", layers::attention),
    ("attention, token by token", layers::attention_token_by_token),
    ("sampling", layers::sampling),
    ("adamw", layers::adamw),
    ("clipping", layers::clipping),
    ("matrix product", products::matmul),
    ("transposed product", products::matmul_transposed_a),
    ("segment of a chain", products::segment),
    ("quantised rows", products::quantise),
    ("weights in Q8_0", products::weights),
    ("quantised product, Q4_0", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q4_0)
    }),
    ("quantised product, Q4_1", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q4_1)
    }),
    ("quantised product, Q5_0", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q5_0)
    }),
    ("quantised product, Q5_1", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q5_1)
    }),
    ("quantised product, Q8_0", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q8_0)
    }),
    ("quantised product, Q4_K", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q4K)
    }),
    ("quantised product, Q5_K", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q5K)
    }),
    ("quantised product, Q6_K", |i, d, o| {
        products::quant(i, d, o, BlockFormat::Q6K)
    }),
];
