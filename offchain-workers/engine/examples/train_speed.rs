// SPDX-License-Identifier: Apache-2.0
//! How fast this machine trains a Llama of 13.8 million parameters: 8 sequences of 256 tokens a step, with
//! clipping and AdamW. Prints one line of JSON.
//!
//! `cargo run --release -p agorai-engine --example train_speed -- [--threads N] [--steps N]`

use agorai_engine::{
    data::Example,
    parallel::Means,
    train::{State, Trainer},
    Weights,
};
use agorai_exact::Isa;
use agorai_primitives::model::Architecture;
use std::time::Instant;

const ARCHITECTURE: Architecture = Architecture {
    vocab: 4096,
    dim: 384,
    layers: 6,
    heads: 6,
    kv_heads: 6,
    ff: 1024,
    context: 256,
    rope_theta: 10_000,
};
const BATCH: usize = 8;
const SEQUENCE: usize = 256;
/// Steps before those that are timed.
const WARM_UP: usize = 2;

/// The value of an argument, or a default.
fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    match arguments.nth(1) {
        Some(value) => value.parse().expect("a number"),
        None => default,
    }
}

fn main() {
    let means = Means {
        isa: Isa::detect(),
        threads: argument("--threads", 2).max(1),
    };
    let steps = argument("--steps", 10).max(1);
    let mut seconds = means.job(|| times(means, steps));
    seconds.sort_by(f64::total_cmp);
    let tokens = (BATCH * SEQUENCE) as f64;
    let median = tokens / seconds[steps / 2];
    let parameters = ARCHITECTURE.parameters();
    println!(
        "{{\"isa\": \"{:?}\", \"threads\": {}, \"parameters\": {parameters}, \"train_tok_s\": {median:.1}, \
         \"best_tok_s\": {:.1}, \"gflop_s\": {:.1}}}",
        means.isa,
        means.threads,
        tokens / seconds[0],
        6.0 * parameters as f64 * median / 1e9
    );
}

/// Seconds of each timed step.
fn times(means: Means, steps: usize) -> Vec<f64> {
    let weights = Weights::init(&ARCHITECTURE, 1).expect("a valid architecture");
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(means, &ARCHITECTURE, &weights.layout, state)
        .expect("a state of this architecture");
    // Tokens without a pattern, by a linear congruence.
    let mut seed = 1u32;
    let mut token = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % ARCHITECTURE.vocab
    };
    let mut example = || Example {
        tokens: (0..SEQUENCE).map(|_| token()).collect(),
        targets: (0..SEQUENCE).map(|_| token()).collect(),
    };
    let examples: Vec<_> = (0..BATCH).map(|_| example()).collect();
    let mut step = || {
        let started = Instant::now();
        trainer.step(&examples, 1e-3).expect("a step");
        started.elapsed().as_secs_f64()
    };
    (0..WARM_UP + steps).map(|_| step()).skip(WARM_UP).collect()
}
