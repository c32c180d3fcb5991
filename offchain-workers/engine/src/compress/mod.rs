// SPDX-License-Identifier: Apache-2.0
//! The compression of pseudo-gradients.
//!
//! SparseLoCo ("Communication Efficient LLM Pre-training with SparseLoCo", 2025), in this order:
//!
//! 1. `e = fma(0.95, e, D)`, with D = base - trained and e the error feedback of the last round.
//! 2. Matrices are divided into chunks of 64x64, norms into chunks of 4096. Of a chunk of n values the
//!    `ceil(top * n / 4096)` of largest magnitude are retained, on ties those of lower index.
//! 3. The retained values v, ascending by index, are quantised to 2 bits: mu = mean(v), c = v - mu, s = 6 * std(c) / 4,
//!    code = clamp(round(c / s + 2), 0, 3) (half to even; 2 if s = 0), and table\[b\] = mu + mean(c with code b).
//! 4. `e = e - dequantised` at the retained indices.
//!
//! Dense pseudo-gradients are D itself; their error feedback is empty.
//!
//! | module | contents |
//! |---|---|
//! | `bits` | packed integers of a fixed number of bits |
//! | `chunks` | the division of the parameters into chunks |
//! | `quantise` | the largest values of a chunk, quantised |
//! | `payload` | the encoding of a pseudo-gradient |
//! | `feedback` | the encoding of the error feedback |

mod bits;
mod chunks;
mod feedback;
mod payload;
mod quantise;

pub use feedback::{decode_feedback, encode_feedback};
pub use payload::{decode, max_bytes};

use crate::{error::Result, weights::Layout};
use agorai_exact::{elementwise, Isa};
use agorai_primitives::training::Compression;
use quantise::retain_top_k;

/// Decay of the error feedback from round to round.
const DECAY: f32 = 0.95;

/// A compressed pseudo-gradient and the resulting error feedback.
#[derive(Clone, Debug, PartialEq)]
pub struct Compressed {
    /// The encoded pseudo-gradient.
    pub payload: Vec<u8>,
    /// The error feedback for the next round, `[parameters]`; empty if dense.
    pub feedback: Vec<f32>,
}

/// Compresses `delta` = base - trained, `[parameters]`. `feedback`: the error feedback of the last round,
/// `[parameters]`; one of another length counts as zeros.
///
/// Errors: a NaN.
pub fn compress(
    isa: Isa,
    layout: &Layout,
    compression: Compression,
    delta: &[f32],
    feedback: Vec<f32>,
) -> Result<Compressed> {
    match compression {
        Compression::Dense => Ok(Compressed {
            payload: payload::dense(delta),
            feedback: Vec::new(),
        }),
        Compression::TopK { top } => sparse(isa, layout, top, delta, feedback),
    }
}

fn sparse(isa: Isa, layout: &Layout, top: u16, delta: &[f32], feedback: Vec<f32>) -> Result<Compressed> {
    let mut error = if feedback.len() == delta.len() {
        feedback
    } else {
        vec![0.0; delta.len()]
    };
    elementwise::decay_add(isa, DECAY, &mut error, delta)?;
    let mut writer = payload::Writer::new(top);
    let mut values = Vec::new();
    for chunk in chunks::of(layout) {
        chunk.gather(&error, &mut values);
        let retained = retain_top_k(isa, &values, chunk.retained(top))?;
        for (index, code) in retained.indices.iter().zip(&retained.codes) {
            let at = chunk.parameter(*index as usize);
            error[at] -= retained.table[usize::from(*code)];
        }
        writer.chunk(&retained);
    }
    Ok(Compressed {
        payload: writer.finish(),
        feedback: error,
    })
}
