// SPDX-License-Identifier: Apache-2.0
//! Losses of a model on sequences.

use crate::{
    backend::Backend,
    data::Example,
    decoder::{Decoder, TOGETHER},
    loss::Total,
    parallel::Means,
    progress::Progress,
    trace::Recorder,
    Result,
};
use agorai_exact::loss;

/// Rows whose logits are held together.
const LOGITS: usize = 64;

/// The losses of each example's tokens, in nats. Every example counts as one step of progress.
pub fn losses<B: Backend>(
    means: Means,
    decoder: &Decoder<B>,
    examples: &[Example],
    progress: &Progress,
) -> Result<Vec<Vec<f32>>> {
    let mut all: Vec<Vec<f32>> = vec![Vec::new(); examples.len()];
    // Sequences are independent, and each has a thread; work within one is spread as well.
    means.run(all.iter_mut().zip(examples).map(|(losses, example)| {
        move || {
            progress.check()?;
            *losses = sequence(means, decoder, example)?;
            progress.step();
            Ok(())
        }
    }))?;
    Ok(all)
}

/// The losses of one example's tokens, in nats.
pub fn sequence<B: Backend>(means: Means, decoder: &Decoder<B>, example: &Example) -> Result<Vec<f32>> {
    let mut session = decoder.session(example.tokens.len())?;
    let mut losses = vec![0.0; example.targets.len()];
    let parts = example.tokens.chunks(TOGETHER);
    let targets = example.targets.chunks(TOGETHER);
    for ((tokens, targets), out) in parts.zip(targets).zip(losses.chunks_mut(TOGETHER)) {
        session.feed(tokens, None)?;
        let parts = targets.chunks(LOGITS).zip(out.chunks_mut(LOGITS));
        for (part, (targets, out)) in parts.enumerate() {
            let first = part * LOGITS;
            let logits = session.logits(first..first + targets.len())?;
            loss::cross_entropy(means.isa, &logits, decoder.vocab(), targets, out)?;
        }
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
