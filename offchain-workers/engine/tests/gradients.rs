// SPDX-License-Identifier: Apache-2.0
//! The backward pass against finite differences.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    data::Example,
    evaluate,
    model::{Checkpointing, Model},
    parallel::ComputeConfig,
    train::{State, Trainer},
    Progress, Weights,
};
use agorai_exact::Isa;
use agorai_primitives::model::Architecture;
use common::*;

const COMPUTE: ComputeConfig = ComputeConfig {
    isa: Isa::Scalar,
    threads: 1,
};

/// Weights large enough that every tensor has an effect.
fn weights() -> Weights {
    let mut weights = Weights::init(&TINY, 5).unwrap();
    for slot in weights.layout.slots.clone() {
        let factor = if slot.is_matrix() { 10.0 } else { 1.0 };
        for value in &mut weights.values[slot.range] {
            *value *= factor;
        }
    }
    weights
}

fn examples(count: usize, length: usize) -> Vec<Example> {
    let tokens: Vec<u32> = text(4096).iter().map(|byte| u32::from(*byte)).collect();
    tokens
        .chunks_exact(length + 1)
        .take(count)
        .map(|run| Example {
            tokens: run[..length].to_vec(),
            targets: run[1..].to_vec(),
        })
        .collect()
}

/// The mean loss in binary64, from each token's exact loss.
fn loss(weights: &Weights, values: Vec<f32>, examples: &[Example]) -> f64 {
    let model = Model::new(COMPUTE, weights.clone())
        .unwrap()
        .with_values(COMPUTE, values)
        .unwrap();
    let losses = evaluate::losses(COMPUTE, model.decoder(), examples, &Progress::new()).unwrap();
    let all: Vec<f64> = losses.concat().into_iter().map(f64::from).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn gradient_of_every_tensor_agrees_with_finite_differences() {
    let weights = weights();
    let examples = examples(2, 12);
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(COMPUTE, &TINY, &weights.layout, state).unwrap();
    trainer.gradient(&examples).unwrap();
    let gradient = trainer.last_gradient();
    for slot in &weights.layout.slots {
        // The directional derivative along the gradient is the square of its norm.
        let part = &gradient[slot.range.clone()];
        let norm = part.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-5, "{}: {norm}", slot.name);
        let step = 2e-3 / norm.max(0.05);
        let moved = |sign: f64| {
            let mut values = weights.values.clone();
            for (value, g) in values[slot.range.clone()].iter_mut().zip(part) {
                *value += (sign * step * f64::from(*g)) as f32;
            }
            loss(&weights, values, &examples)
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        let error = (slope - norm * norm).abs() / (norm * norm);
        assert!(error < 0.02, "{}: {slope} is not {}", slot.name, norm * norm);
    }
}

#[test]
fn step_changes_every_tensor() {
    let weights = Weights::init(&TINY, 5).unwrap();
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(COMPUTE, &TINY, &weights.layout, state).unwrap();
    trainer.step(&examples(2, 12), 1e-3).unwrap();
    for slot in &weights.layout.slots {
        let (before, after) = (
            &weights.values[slot.range.clone()],
            &trainer.state.values[slot.range.clone()],
        );
        let moved = before.iter().zip(after).filter(|(b, a)| b != a).count();
        // Embeddings of absent tokens have no gradient, but they decay.
        assert!(moved * 2 > before.len(), "{}: {moved}", slot.name);
    }
}

#[test]
fn loss_falls_in_training() {
    let architecture = Architecture::SMALL;
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads: 2,
    };
    let weights = Weights::init(&architecture, 5).unwrap();
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(compute, &architecture, &weights.layout, state).unwrap();
    let examples = examples(4, 64);
    let losses: Vec<u64> = (0..30)
        .map(|_| trainer.step(&examples, 3e-3).unwrap().mean_micro_nats())
        .collect();
    // The loss of initial weights is near that of the uniform distribution: ln 256 = 5.545.
    assert!(losses[0].abs_diff(5_545_177) < 100_000, "{losses:?}");
    assert!(losses[29] < losses[0] / 2, "{losses:?}");
}

#[test]
fn gradient_does_not_depend_on_threads_or_checkpointing() {
    let weights = weights();
    let examples = examples(3, 12);
    let gradient = |threads, checkpointing| {
        let compute = ComputeConfig {
            isa: Isa::detect(),
            threads,
        };
        let state = State::start(weights.values.clone());
        let trainer = Trainer::new(compute, &TINY, &weights.layout, state).unwrap();
        let mut trainer = trainer.with_checkpointing(checkpointing);
        trainer.gradient(&examples).unwrap();
        trainer.last_gradient().to_vec()
    };
    let one = gradient(1, Checkpointing::Off);
    for threads in [1, 2, 3, 8] {
        assert_eq!(one, gradient(threads, Checkpointing::Off), "{threads}");
        assert_eq!(one, gradient(threads, Checkpointing::PerBlock), "{threads}");
    }
}
