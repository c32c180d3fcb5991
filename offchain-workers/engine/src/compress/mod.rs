// SPDX-License-Identifier: Apache-2.0
//! Pseudo-gradients, compressed as a recipe says.
//!
//! SparseLoCo ("Communication Efficient LLM Pre-training with SparseLoCo", 2025), in this order:
//!
//! 1. `e = fma(0.95, e, D)`, with D = base - trained and e the error feedback of the last round.
//! 2. Matrices are cut into blocks of 64x64, norms into runs of 4096. Of a chunk of n values the
//!    `ceil(top * n / 4096)` largest by absolute value are kept, ties by lower index.
//! 3. The kept values v, ascending by index, become 2 bits each: mu = mean(v), c = v - mu,
//!    s = 6 * std(c) / 4, code = clamp(round(c / s + 2), 0, 3) (half to even; 2 where s = 0), and
//!    table\[b\] = mu + mean(c with code b).
//! 4. `e = e - dequantised` at the kept places.
//!
//! Dense pseudo-gradients are D itself; their error feedback is empty.

mod bits;
mod chunks;
mod feedback;
mod payload;

pub use feedback::{decode_feedback, encode_feedback};
pub use payload::{decode, most_bytes};

use crate::{weights::Layout, Result};
use agorai_exact::{elementwise, reduce, topk, Isa};
use agorai_primitives::training::Compression;
use chunks::Chunk;

/// What of the error stays for the next round.
const DECAY: f32 = 0.95;

/// A pseudo-gradient ready to be sent, and what it leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Compressed {
    /// The bytes to send.
    pub payload: Vec<u8>,
    /// The next round's error feedback, as long as the parameters; empty for dense ones.
    pub feedback: Vec<f32>,
}

/// Compresses `delta` (base - trained). `feedback`: the buffer of the last round, or empty.
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
        let kept = keep(isa, &values, chunk.kept(top))?;
        for (index, code) in kept.indices.iter().zip(&kept.codes) {
            let at = chunk.place(*index as usize);
            error[at] -= kept.table[usize::from(*code)];
        }
        writer.chunk(&kept);
    }
    Ok(Compressed {
        payload: writer.finish(),
        feedback: error,
    })
}

/// The kept values of a chunk in 2 bits each.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// Places in the chunk, ascending.
    indices: Vec<u32>,
    /// For each of them which value of the table stands for it.
    codes: Vec<u8>,
    /// The values; 0 where no code uses one.
    table: [f32; 4],
}

fn keep(isa: Isa, values: &[f32], count: usize) -> Result<Kept> {
    let mut indices = Vec::with_capacity(count);
    topk::top_k_abs(values, count, &mut indices)?;
    let mut centred: Vec<f32> = indices.iter().map(|i| values[*i as usize]).collect();
    let mean = reduce::mean(isa, &centred)?;
    for value in &mut centred {
        *value -= mean;
    }
    let variance = reduce::sum_sq16(isa, &centred)? / centred.len() as f32;
    let step = 6.0 * variance.sqrt() / 4.0;
    let code = |value: f32| {
        if step > 0.0 {
            (value / step + 2.0).round_ties_even().clamp(0.0, 3.0) as u8
        } else {
            2
        }
    };
    let codes: Vec<u8> = centred.iter().map(|value| code(*value)).collect();
    let mut table = [0.0; 4];
    for (bucket, entry) in table.iter_mut().enumerate() {
        let inside: Vec<f32> = centred
            .iter()
            .zip(&codes)
            .filter(|(_, code)| usize::from(**code) == bucket)
            .map(|(value, _)| *value)
            .collect();
        if !inside.is_empty() {
            *entry = mean + reduce::mean(isa, &inside)?;
        }
    }
    Ok(Kept { indices, codes, table })
}
