// SPDX-License-Identifier: Apache-2.0
//! Three training rounds of the demonstration, as the chain schedules them.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{Engine, EngineConfig};
use agorai_primitives::{job::*, model::Architecture, training::Recipe, BlobId};
use common::*;

#[test]
fn loss_falls_over_three_rounds_of_four_workers() {
    let recipe = Recipe::SMALL;
    let mut network = Round::new(Architecture::SMALL, recipe, 4);
    let engine = Engine::new(EngineConfig {
        threads: 2,
        ..EngineConfig::default()
    });
    let mut feedback: Vec<Option<BlobId>> = vec![None; 4];
    let mut losses = Vec::new();
    for round in 0..3 {
        let mut payloads = Vec::new();
        for worker in 0..4 {
            let spec = TrainSpec {
                steps_before: round * recipe.inner_steps,
                error_feedback: feedback[worker as usize],
                ..network.train_spec(worker)
            };
            let contribution = network.train_from(&engine, spec);
            assert!(contribution.loss_last < contribution.loss_first);
            feedback[worker as usize] = Some(contribution.error_feedback);
            payloads.push((worker, contribution.payload));
        }
        let JobResult::Scored { scores, .. } = network.score(&engine, &payloads) else {
            panic!()
        };
        assert!(scores.iter().all(|score| score.held_out > 0), "{scores:?}");
        match network.aggregate(&engine, &payloads) {
            JobResult::Aggregated {
                weights,
                loss_before,
                loss_after,
                ..
            } => {
                losses.push((loss_before, loss_after));
                network.base = weights;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(losses.iter().all(|(before, after)| after < before), "{losses:?}");
    // A round starts with the loss at which the last one ended, on the same held-out data.
    assert!(losses.windows(2).all(|pair| pair[0].1 == pair[1].0), "{losses:?}");
}
