// SPDX-License-Identifier: Apache-2.0
//! Losses of a model on sequences.

use crate::{
    data::Example,
    loss::Total,
    model::{Model, Session},
    parallel::Means,
    progress::Progress,
    trace::Recorder,
    Result,
};
use agorai_exact::loss;

/// Rows whose logits are held together.
const TOGETHER: usize = 64;

/// The losses of each example's tokens, in nats. Every example counts as one step of progress.
pub fn losses(
    means: Means,
    model: &Model,
    examples: &[Example],
    progress: &Progress,
) -> Result<Vec<Vec<f32>>> {
    let mut all: Vec<Vec<f32>> = vec![Vec::new(); examples.len()];
    // Sequences are independent: with enough of them each has a thread, else each uses all threads.
    let within = if examples.len() >= means.threads {
        means.alone()
    } else {
        means
    };
    let across = if within == means {
        means.alone()
    } else {
        means
    };
    across.run(all.iter_mut().zip(examples).map(|(losses, example)| {
        move || {
            progress.check()?;
            *losses = sequence(within, model, example)?;
            progress.step();
            Ok(())
        }
    }))?;
    Ok(all)
}

fn sequence(means: Means, model: &Model, example: &Example) -> Result<Vec<f32>> {
    let view = model.view();
    let mut session = Session::new(view, means)?;
    session.feed(&example.tokens, None)?;
    let mut losses = vec![0.0; example.targets.len()];
    for (part, targets) in example.targets.chunks(TOGETHER).enumerate() {
        let first = part * TOGETHER;
        let rows = first..first + targets.len();
        let out = &mut losses[rows.clone()];
        let logits = session.logits(rows)?;
        loss::cross_entropy(means.isa, logits, view.shape.vocab, targets, out)?;
    }
    Ok(losses)
}

/// The mean over all examples in micro-nats per token. Each example's losses become a leaf of the trace.
pub fn mean(losses: &[Vec<f32>], recorder: &mut Recorder) -> u64 {
    let mut total = Total::default();
    for losses in losses {
        recorder.push(losses);
        total.add(losses);
    }
    total.mean_micro_nats()
}
