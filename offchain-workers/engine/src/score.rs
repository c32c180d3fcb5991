// SPDX-License-Identifier: Apache-2.0
//! The gains of the contributions of a round.

use crate::{
    access::{fetch, BlobAccess},
    compress,
    data::{Data, Example},
    error::{Error, Result},
    evaluate,
    model::Model,
    parallel::ComputeConfig,
    progress::Progress,
    trace::Recorder,
};
use agorai_exact::elementwise;
use agorai_primitives::{
    job::ScoreSpec,
    receipt::{scores_result, Trace},
    training::{Score, MAX_WORKERS},
    BlobId,
};

/// Minimum gain in micro-nats per token, that of a contribution that is malformed or leads to NaNs: no increase of the
/// loss is as large.
pub const MIN_GAIN: i64 = -1_000_000_000;

/// Refuses contributions that are not strictly ascending by worker, and those of workers that do not exist.
pub(crate) fn validate(spec: &ScoreSpec) -> Result<()> {
    let ascending = spec.contributions.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let known = spec.contributions.iter().all(|(worker, _)| *worker < spec.workers);
    if spec.workers > MAX_WORKERS || !ascending || !known {
        return Err(Error::Spec(
            "contributions are not ascending by worker, or a worker does not exist",
        ));
    }
    Ok(())
}

/// Returns the outer learning rate.
pub(crate) fn outer_rate(spec: &ScoreSpec) -> f32 {
    spec.recipe.outer_rate_micros as f32 / 1e6
}

/// Scores every contribution: the loss of the base minus the loss after an outer step with this contribution alone,
/// `fma(-outer rate, delta, base)`, in micro-nats per token, on held-out data and on an equal amount of the worker's
/// own data, both selected by the draw.
///
/// Leaves of the trace, one for the losses of each sequence: the base on held-out data, then for each contribution the
/// base on the worker's own data, the contribution on held-out data and on the worker's own.
pub fn score(
    compute: ComputeConfig,
    spec: &ScoreSpec,
    base: &Model,
    blobs: &dyn BlobAccess,
    progress: &Progress,
) -> Result<(Vec<Score>, Trace)> {
    validate(spec)?;
    let mut data = Data::new(blobs, &spec.corpus, &spec.recipe, spec.seed, spec.workers)?;
    let held_out = data.held_out(spec.draw)?;
    let sequences = held_out.len() as u64;
    progress.begin(sequences * (1 + 3 * spec.contributions.len() as u64));
    let mut recorder = Recorder::default();
    let before = loss(compute, base, &held_out, progress, &mut recorder)?;
    let mut scores = Vec::with_capacity(spec.contributions.len());
    for (worker, payload) in &spec.contributions {
        let own = data.own(*worker, spec.draw)?;
        let own_before = loss(compute, base, &own, progress, &mut recorder)?;
        let mut gains = (MIN_GAIN, MIN_GAIN);
        if let Some(model) = apply(compute, spec, base, blobs, payload)? {
            let mut gain = |examples, before| -> Result<i64> {
                match loss(compute, &model, examples, progress, &mut recorder) {
                    Ok(after) => Ok(difference(before, after)),
                    Err(Error::Exact(_)) => Ok(MIN_GAIN),
                    Err(error) => Err(error),
                }
            };
            gains = (gain(&held_out, before)?, gain(&own, own_before)?);
        }
        scores.push(Score {
            worker: *worker,
            held_out: gains.0,
            own: gains.1,
        });
    }
    let trace = recorder.finish(scores_result(&scores));
    Ok((scores, trace))
}

/// Returns before minus after, at least [`MIN_GAIN`].
fn difference(before: u64, after: u64) -> i64 {
    let difference = i128::from(before) - i128::from(after);
    difference.clamp(MIN_GAIN.into(), i64::MAX.into()) as i64
}

fn loss(
    compute: ComputeConfig,
    model: &Model,
    examples: &[Example],
    progress: &Progress,
    recorder: &mut Recorder,
) -> Result<u64> {
    let losses = evaluate::losses(compute, model.decoder(), examples, progress)?;
    Ok(evaluate::mean(&losses, recorder))
}

/// Returns the base after an outer step with one contribution, or `None` if the payload is malformed or leads to NaNs.
fn apply(
    compute: ComputeConfig,
    spec: &ScoreSpec,
    base: &Model,
    blobs: &dyn BlobAccess,
    payload: &BlobId,
) -> Result<Option<Model>> {
    let bytes = fetch(blobs, payload)?;
    let weights = base.weights();
    let Ok(delta) = compress::decode(&weights.layout, spec.recipe.compression, &bytes) else {
        return Ok(None);
    };
    let mut values = weights.values.clone();
    if elementwise::axpy(compute.isa, -outer_rate(spec), &delta, &mut values).is_err() {
        return Ok(None);
    }
    Ok(Some(base.with_values(compute, values)?))
}
