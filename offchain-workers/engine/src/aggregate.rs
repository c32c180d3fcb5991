// SPDX-License-Identifier: Apache-2.0
//! The aggregation of accepted contributions to the next weights.

use crate::{
    access::{fetch, BlobAccess},
    compress,
    data::Data,
    error::{Error, Result},
    evaluate,
    model::Model,
    parallel::ComputeConfig,
    progress::Progress,
    score::{outer_rate, validate},
    trace::Recorder,
};
use agorai_exact::{elementwise, reduce};
use agorai_primitives::{
    job::AggregateSpec,
    receipt::{weights_result, Trace},
    BlobId,
};

/// The new weights of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregated {
    /// The weights, stored as a blob.
    pub weights: BlobId,
    /// Held-out loss of the base, in micro-nats per token.
    pub loss_before: u64,
    /// Held-out loss of the new weights.
    pub loss_after: u64,
    /// The trace.
    pub trace: Trace,
}

/// Aggregates contributions: each pseudo-gradient D, workers ascending, is scaled by `min(1, median / norm)`; their sum
/// `s = fma(scale, D, s)` is divided by their number R; `weights = fma(-outer rate, s / R, base)`.
///
/// Dividing by R, and not by the number of contributions that contain an index, limits the weight of a single attacker
/// at indices that only it sends. Leaves of the trace: every tensor of `s / R`, then the losses of every held-out
/// sequence before and after the step.
///
/// Errors: no contributions, a malformed payload, weights that are not finite.
pub fn aggregate(
    compute: ComputeConfig,
    spec: &AggregateSpec,
    base: &Model,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<Aggregated> {
    let spec = &spec.score;
    validate(spec)?;
    if spec.contributions.is_empty() {
        return Err(Error::Spec("there are no contributions"));
    }
    let mut data = Data::new(blobs, &spec.corpus, &spec.recipe, spec.seed, spec.workers)?;
    let held_out = data.held_out(spec.draw)?;
    progress.begin(2 * held_out.len() as u64);
    let weights = base.weights();
    let mut deltas = Vec::with_capacity(spec.contributions.len());
    for (_, payload) in &spec.contributions {
        progress.check()?;
        let bytes = fetch(blobs, payload)?;
        deltas.push(compress::decode(&weights.layout, spec.recipe.compression, &bytes)?);
    }
    let sum = clipped_mean(compute, &deltas)?;
    let mut recorder = Recorder::default();
    for slot in &weights.layout.slots {
        recorder.push(&sum[slot.range.clone()]);
    }
    let mut values = weights.values.clone();
    elementwise::axpy(compute.isa, -outer_rate(spec), &sum, &mut values)?;
    if !values.iter().all(|value| value.is_finite()) {
        return Err(Error::Payload("the aggregated weights are not finite"));
    }
    let next = base.with_values(compute, values)?;
    let before = evaluate::losses(compute, base.decoder(), &held_out, progress)?;
    let after = evaluate::losses(compute, next.decoder(), &held_out, progress)?;
    let loss_before = evaluate::mean(&before, &mut recorder);
    let loss_after = evaluate::mean(&after, &mut recorder);
    let weights = blobs.put(&next.weights().to_safetensors())?;
    Ok(Aggregated {
        weights,
        loss_before,
        loss_after,
        trace: recorder.finish(weights_result(&weights, loss_before, loss_after)),
    })
}

/// Returns the mean of the pseudo-gradients, clipped to their median norm.
fn clipped_mean(compute: ComputeConfig, deltas: &[Vec<f32>]) -> Result<Vec<f32>> {
    let norms = deltas
        .iter()
        .map(|delta| Ok(reduce::sum_sq16(compute.isa, delta)?.sqrt()))
        .collect::<Result<Vec<f32>>>()?;
    let median = median(&norms);
    let mut sum = vec![0.0; deltas.first().map_or(0, Vec::len)];
    for (delta, norm) in deltas.iter().zip(&norms) {
        let scale = if *norm > median { median / norm } else { 1.0 };
        elementwise::axpy(compute.isa, scale, delta, &mut sum)?;
    }
    let peers = deltas.len() as f32;
    for value in &mut sum {
        *value /= peers;
    }
    Ok(sum)
}

/// Returns the middle value, or the mean of the two middle ones; 0 without values.
fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(high)) => *high,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agorai_exact::Isa;

    #[test]
    fn median_is_the_middle_or_the_mean_of_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 8.0]), 3.0);
        assert_eq!(median(&[5.0]), 5.0);
    }

    #[test]
    fn loud_contribution_is_clipped_to_the_median_norm() {
        let compute = ComputeConfig {
            isa: Isa::Scalar,
            threads: 1,
        };
        let deltas = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, 100.0]];
        let third = 1.0 / 3.0;
        assert_eq!(clipped_mean(compute, &deltas).unwrap(), vec![third, 2.0 * third]);
    }
}
