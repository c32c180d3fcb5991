// SPDX-License-Identifier: Apache-2.0
//! Upper bounds of the memory of a job, known before anything of it is allocated.

use crate::{
    backend::CHUNK,
    compress,
    config::ModelConfig,
    decoder::MAX_BATCH_TOKENS,
    error::Result,
    files::ModelFile,
    generate::{MAX_CANDIDATES, MAX_ROWS},
    model::{Checkpointing, Tape},
    text::MAX_TOKENIZER,
    weights,
};
use agorai_exact::{element::ElementType, quant::QuantMatrix, sampling::Candidate};
use agorai_primitives::{
    job::{GenerateSpec, JobSpec, TrainSpec, MAX_TOKENS},
    model::Architecture,
    training::{Corpus, Recipe},
};

/// Bytes of a binary32 value.
const F32: u64 = 4;
/// Columns of a packed panel; the last panel of a matrix is padded.
const PANEL: u64 = 32;
/// Bytes of a leaf of a trace and of its share of the Merkle tree.
const LEAF: u64 = 64;
/// Lanes of a SIMD vector.
const LANES: usize = 16;
/// Upper bound of the bytes and values that are read at once while a matrix is loaded.
const LOAD_BUFFERS: u64 = 32 << 20;
/// Upper bound of the left operands of binary32 products that a thread packs.
const PACKED_LEFT: u64 = 1 << 20;
/// Upper bound of the memory of an idle engine.
const IDLE: u64 = 16 << 20;

/// Returns an upper bound of the bytes of a job, one of training with [`Checkpointing::PerBlock`]. Architecture and
/// recipe must be valid.
pub fn needed(spec: &JobSpec, threads: usize) -> u64 {
    let job = match spec {
        JobSpec::Generate(spec) => generate(spec, threads),
        JobSpec::Check(spec) => generate(&spec.generate, threads),
        JobSpec::Train(spec) => train(spec, Checkpointing::PerBlock),
        JobSpec::Audit(spec) => train(&spec.train, Checkpointing::PerBlock),
        JobSpec::Score(spec) => evaluate(&spec.architecture, &spec.recipe, &spec.corpus, threads)
            .saturating_add(parameters(&spec.architecture).saturating_mul(2)),
        JobSpec::Aggregate(spec) => {
            let spec = &spec.score;
            let deltas = spec.contributions.len() as u64 + 2;
            evaluate(&spec.architecture, &spec.recipe, &spec.corpus, threads)
                .saturating_add(parameters(&spec.architecture).saturating_mul(deltas))
        }
    };
    job.saturating_add(IDLE)
}

/// Returns the fastest checkpointing of a training job of at most `limit` bytes.
pub fn checkpointing(spec: &TrainSpec, limit: u64) -> Checkpointing {
    if train(spec, Checkpointing::Off).saturating_add(IDLE) <= limit {
        Checkpointing::Off
    } else {
        Checkpointing::PerBlock
    }
}

fn parameters(architecture: &Architecture) -> u64 {
    F32 * architecture.parameters()
}

/// Returns the bytes of the packed matrices: every width is rounded up to whole panels.
fn packed(architecture: &Architecture) -> u64 {
    let pad = |n: u32| u64::from(n).next_multiple_of(PANEL);
    let a = architecture;
    let padded = Architecture {
        dim: pad(a.dim) as u32,
        ff: pad(a.ff) as u32,
        vocab: pad(a.vocab) as u32,
        heads: 1,
        kv_heads: 1,
        ..*a
    };
    // With one head as wide as the padded model, keys and values count as wide as queries: an upper bound.
    parameters(&padded)
}

/// Returns the bytes of the file, its values, the packed matrices and the rotary angles.
fn model(architecture: &Architecture) -> u64 {
    let angles = u64::from(architecture.context) * u64::from(architecture.head_dim());
    weights::max_bytes(architecture)
        .saturating_add(parameters(architecture))
        .saturating_add(packed(architecture))
        .saturating_add(F32 * angles)
}

/// Returns the bytes of a session of at most `positions` tokens: keys and values, rotary angles, and the activations of
/// a batch.
fn session(config: &ModelConfig, positions: u64, threads: usize) -> u64 {
    let c = config;
    let (query, key) = (c.query_width(), c.key_width());
    let widest = query.max(c.dim).max(c.ff);
    let padded = positions.next_multiple_of(PANEL);
    // Keys and values have room for every position.
    let cache = (2 * key as u64).saturating_mul(c.layers as u64);
    // Of global and of local layers.
    let angles = 2 * c.head_dim as u64;
    let cache = padded.saturating_mul(cache.saturating_add(angles));
    // Residual streams, norms and a projection; queries, which attention copies, and its outputs; the feed-forward
    // layer; quantised inputs with their scales and sums; the bytes of the leaves.
    let row = 6 * c.dim + 4 * query + 4 * key + 3 * c.ff + 3 * widest;
    let probabilities = (c.heads as u64).saturating_mul(positions);
    let rows = (MAX_BATCH_TOKENS as u64).saturating_mul(probabilities.saturating_add(row as u64));
    // Values whose width is not a multiple of the lanes are packed for each head.
    let packed = match c.head_dim % LANES {
        0 => 0,
        _ => (c.heads * c.head_dim.next_multiple_of(PANEL as usize)) as u64,
    };
    let tasks = (threads as u64).max(2);
    let left = (threads as u64).saturating_mul(PACKED_LEFT);
    F32.saturating_mul(cache.saturating_add(rows))
        .saturating_add(tasks.saturating_mul(F32 * padded).saturating_mul(packed))
        .saturating_add(left)
}

/// Returns the bytes of generating or checking an answer in a session of `positions` tokens: the session, chunks of
/// logits, candidates, leaves.
fn answer(config: &ModelConfig, positions: u64, threads: usize) -> u64 {
    let rows = MAX_ROWS as u64;
    let chunk = F32 * rows * config.vocab.min(CHUNK) as u64;
    let max = (config.vocab as u64).max(MAX_CANDIDATES as u64);
    let candidates = max.min(rows.saturating_mul(config.vocab as u64));
    let candidate = size_of::<Candidate>() as u64;
    let leaves = positions.saturating_mul(config.layers as u64 + 1);
    session(config, positions, threads)
        .saturating_add(chunk.saturating_mul(threads as u64))
        // Vectors grow by doubling. For one row at a time, top-p computes probabilities, and the bytes of the leaf are
        // written.
        .saturating_add(2 * candidate * candidates + 3 * candidate * config.vocab as u64)
        .saturating_add(leaves.saturating_mul(LEAF))
}

/// Returns an upper bound of the bytes of a file's model while it is loaded, and while answers of at most `positions`
/// tokens, prompt included, are generated or checked. The tokenizer is not counted.
///
/// Errors: a matrix too large for any machine.
pub fn serving(file: &ModelFile, positions: usize, threads: usize) -> Result<u64> {
    let mut weights = 0u64;
    for part in file.parts() {
        let (n, k) = file.shape(part)?;
        let bytes = match file.element(part)? {
            ElementType::Block(format) => QuantMatrix::size_bytes(format, n, k)? as u64,
            _ => F32 * (n as u64).next_multiple_of(PANEL).saturating_mul(k as u64),
        };
        weights = weights.saturating_add(bytes);
    }
    let positions = positions.min(file.config().context) as u64;
    Ok(weights
        .saturating_add(answer(file.config(), positions, threads))
        .saturating_add(LOAD_BUFFERS)
        .saturating_add(IDLE))
}

fn generate(spec: &GenerateSpec, threads: usize) -> u64 {
    let a = &spec.architecture;
    let positions = u64::from(a.context).min(spec.prompt.len() as u64 + u64::from(MAX_TOKENS));
    // A loaded tokenizer takes about 8 times its file.
    let tokenizer = if a.vocab == 256 { 0 } else { 8 * MAX_TOKENIZER as u64 };
    model(a)
        .saturating_add(answer(&ModelConfig::from(a), positions, threads))
        .saturating_add(tokenizer)
}

fn corpus(corpus: &Corpus) -> u64 {
    corpus
        .shards
        .iter()
        .fold(0, |sum, shard| shard.bytes.saturating_add(sum))
}

/// Returns the bytes of training: base, state, gradient and their encodings, both packings, the tapes.
fn train(spec: &TrainSpec, checkpointing: Checkpointing) -> u64 {
    let (architecture, recipe) = (&spec.architecture, &spec.recipe);
    let config = ModelConfig::from(architecture);
    let rows = recipe.sequence as usize;
    let tape = F32.saturating_mul(Tape::values(&config, rows, checkpointing));
    model(architecture)
        .saturating_add(parameters(architecture).saturating_mul(4 + 6 + 3))
        .saturating_add(packed(architecture).saturating_mul(2))
        .saturating_add(tape.saturating_mul(recipe.batch.into()))
        .saturating_add(compress::max_bytes(architecture, recipe.compression))
        .saturating_add(corpus(&spec.corpus))
}

/// Returns the bytes of evaluation: two models, and one session for each thread.
fn evaluate(architecture: &Architecture, recipe: &Recipe, data: &Corpus, threads: usize) -> u64 {
    // The logits of a batch.
    let logits = F32 * (MAX_BATCH_TOKENS as u64).saturating_mul(architecture.vocab.into());
    let session = session(&ModelConfig::from(architecture), recipe.sequence.into(), threads);
    let session = session.saturating_add(logits);
    model(architecture)
        .saturating_mul(2)
        .saturating_add(session.saturating_mul(threads as u64))
        .saturating_add(compress::max_bytes(architecture, recipe.compression))
        .saturating_add(corpus(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agorai_primitives::{job::Profile, BlobId};

    #[test]
    fn small_round_takes_some_dozen_megabytes_and_an_absurd_one_too_many() {
        let mut spec = TrainSpec {
            profile: Profile::ExactF32V1,
            architecture: Architecture::SMALL,
            base: BlobId::default(),
            recipe: Recipe::SMALL,
            corpus: Corpus::default(),
            seed: Default::default(),
            steps_before: 0,
            steps_total: 16,
            worker: 0,
            workers: 1,
            error_feedback: None,
        };
        let all = train(&spec, Checkpointing::Off) + IDLE;
        let least = needed(&JobSpec::Train(spec.clone()), 2);
        assert!((50 << 20..300 << 20).contains(&all), "{all}");
        assert!(least < all, "{least}");
        assert_eq!(checkpointing(&spec, all), Checkpointing::Off);
        assert_eq!(checkpointing(&spec, all - 1), Checkpointing::PerBlock);
        spec.recipe.sequence = 1 << 15;
        spec.recipe.batch = 1024;
        assert!(needed(&JobSpec::Train(spec), 2) > 1 << 42);
    }
}
