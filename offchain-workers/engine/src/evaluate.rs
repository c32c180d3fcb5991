// SPDX-License-Identifier: Apache-2.0
//! The losses of a model on sequences.

use crate::{
    backend::Backend,
    data::Example,
    decoder::{Decoder, MAX_BATCH_TOKENS},
    error::Result,
    loss::Total,
    parallel::ComputeConfig,
    progress::Progress,
    trace::Recorder,
};
use agorai_exact::loss;

/// Number of rows whose logits are materialised at once.
const LOGIT_ROWS: usize = 64;

/// Returns the losses of each example's tokens, in nats. Every example is one step of progress.
pub fn losses<B: Backend>(
    compute: ComputeConfig,
    decoder: &Decoder<B>,
    examples: &[Example],
    progress: &Progress,
) -> Result<Vec<Vec<f32>>> {
    let mut all: Vec<Vec<f32>> = vec![Vec::new(); examples.len()];
    // Sequences are independent, and each has a thread; the work within one is parallelised too.
    compute.run_tasks(all.iter_mut().zip(examples).map(|(losses, example)| {
        move || {
            progress.check()?;
            *losses = sequence(compute, decoder, example)?;
            progress.step();
            Ok(())
        }
    }))?;
    Ok(all)
}

/// Returns the losses of one example's tokens, in nats.
pub fn sequence<B: Backend>(compute: ComputeConfig, decoder: &Decoder<B>, example: &Example) -> Result<Vec<f32>> {
    let mut session = decoder.session(example.tokens.len())?;
    let mut losses = vec![0.0; example.targets.len()];
    let parts = example.tokens.chunks(MAX_BATCH_TOKENS);
    let targets = example.targets.chunks(MAX_BATCH_TOKENS);
    for ((tokens, targets), out) in parts.zip(targets).zip(losses.chunks_mut(MAX_BATCH_TOKENS)) {
        session.feed(tokens, None)?;
        let parts = targets.chunks(LOGIT_ROWS).zip(out.chunks_mut(LOGIT_ROWS));
        for (part, (targets, out)) in parts.enumerate() {
            let first = part * LOGIT_ROWS;
            let logits = session.logits(first..first + targets.len())?;
            loss::cross_entropy(compute.isa, &logits, decoder.vocab(), targets, out)?;
        }
    }
    Ok(losses)
}

/// Returns the mean loss over all examples in micro-nats per token. The losses of each example become a leaf of the
/// trace.
pub fn mean(losses: &[Vec<f32>], recorder: &mut Recorder) -> u64 {
    let mut total = Total::default();
    for losses in losses {
        recorder.push(losses);
        total.add(losses);
    }
    total.mean_micro_nats()
}
