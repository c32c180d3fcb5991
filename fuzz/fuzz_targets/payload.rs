// SPDX-License-Identifier: Apache-2.0
//! Blobs of a training round: pseudo-gradients, error feedback, training states and weights. The first byte of the
//! input selects the decoder.
#![no_main]

use agorai_engine::{
    compress::{decode, decode_feedback},
    train::State,
    weights::Layout,
    Weights,
};
use agorai_primitives::{model::Architecture, training::Compression};

const ARCHITECTURE: Architecture = Architecture {
    vocab: 8,
    dim: 4,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    ff: 8,
    context: 8,
    rope_theta: 10_000,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let layout = Layout::new(&ARCHITECTURE);
    match choice {
        0 => drop(decode(&layout, Compression::Dense, bytes)),
        1 => drop(decode_feedback(&layout, bytes)),
        2 => drop(State::from_bytes(layout.len(), 1, bytes)),
        3 => drop(Weights::from_safetensors(&ARCHITECTURE, bytes)),
        top => {
            let compression = Compression::TopK {
                top: 64 * (u16::from(*top) % 64 + 1),
            };
            let Ok(values) = decode(&layout, compression, bytes) else {
                return;
            };
            assert!(values.len() == layout.len() && values.iter().all(|value| value.is_finite()));
        }
    }
});
