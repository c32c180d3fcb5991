// SPDX-License-Identifier: Apache-2.0
//! How much memory a job takes, from above, before anything of it is allocated.

use crate::{
    backend::COLUMNS,
    compress,
    decoder::TOGETHER,
    files::{ModelConfig, ModelFile},
    generate::{CANDIDATES, ROWS},
    model::{Keep, Shape, Tape},
    text::MAX_TOKENIZER,
    weights::{self, config},
    Result,
};
use agorai_exact::{element::ElementType, quant::QuantMatrix, sampling::Candidate};
use agorai_primitives::{
    job::{GenerateSpec, JobSpec, TrainSpec, MAX_TOKENS},
    model::Architecture,
    training::{Corpus, Recipe},
};

/// Bytes of a binary32 value.
const VALUE: u64 = 4;
/// Columns of a packed panel: the last one of a matrix is padded.
const PANEL: u64 = 32;
/// Bytes of a leaf of a trace, twice for the tree over them.
const LEAF: u64 = 64;
/// Lanes of a vector.
const LANES: usize = 16;
/// What is read at once of a matrix that is taken in, as bytes and as values.
const LOADING: u64 = 32 << 20;
/// Left operands of binary32 products that a thread packs, from above.
const PACKED_LEFT: u64 = 1 << 20;
/// What an idle engine takes.
const BASIS: u64 = 16 << 20;

/// Bytes that a job takes at most, one of training with as little kept as possible. Architecture and recipe
/// must be valid.
pub fn needed(spec: &JobSpec, threads: usize) -> u64 {
    let job = match spec {
        JobSpec::Generate(spec) => generate(spec, threads),
        JobSpec::Check(spec) => generate(&spec.generate, threads),
        JobSpec::Train(spec) => train(spec, Keep::Streams),
        JobSpec::Audit(spec) => train(&spec.train, Keep::Streams),
        JobSpec::Score(spec) => evaluate(&spec.architecture, &spec.recipe, &spec.corpus, threads)
            .saturating_add(parameters(&spec.architecture).saturating_mul(2)),
        JobSpec::Aggregate(spec) => {
            let spec = &spec.score;
            let deltas = spec.contributions.len() as u64 + 2;
            evaluate(&spec.architecture, &spec.recipe, &spec.corpus, threads)
                .saturating_add(parameters(&spec.architecture).saturating_mul(deltas))
        }
    };
    job.saturating_add(BASIS)
}

/// How much training may keep on the way through the model where a job may take `limit` bytes.
pub fn keep(spec: &TrainSpec, limit: u64) -> Keep {
    if train(spec, Keep::All).saturating_add(BASIS) <= limit {
        Keep::All
    } else {
        Keep::Streams
    }
}

fn parameters(architecture: &Architecture) -> u64 {
    VALUE * architecture.parameters()
}

/// Packed matrices: every width rounded up to whole panels.
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
    // One head as wide as the padded model counts keys and values as wide as queries: from above.
    parameters(&padded)
}

/// The file, its values, the packed matrices and the rotary angles.
fn model(architecture: &Architecture) -> u64 {
    let angles = u64::from(architecture.context) * u64::from(architecture.head_dim());
    weights::most_bytes(architecture)
        .saturating_add(parameters(architecture))
        .saturating_add(packed(architecture))
        .saturating_add(VALUE * angles)
}

/// A session of at most `positions` tokens on so many threads: keys and values, rotary angles, and what is computed
/// for rows that are read together.
fn session(config: &ModelConfig, positions: u64, threads: usize) -> u64 {
    let c = config;
    let (query, key) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let widest = query.max(c.dim).max(c.ff);
    let padded = positions.next_multiple_of(PANEL);
    // Keys and values have room for every position.
    let memory = (2 * key as u64).saturating_mul(c.layers as u64);
    // Of two kinds of blocks.
    let angles = 2 * c.head_dim as u64;
    let memory = padded.saturating_mul(memory.saturating_add(angles));
    // Streams, norms and a projection; queries, which attention copies, and what it gives; the feed-forward
    // layer; inputs as small integers, with their scales and sums; the leaves' bytes.
    let row = 6 * c.dim + 4 * query + 4 * key + 3 * c.ff + 3 * widest;
    let probabilities = (c.heads as u64).saturating_mul(positions);
    let rows = (TOGETHER as u64).saturating_mul(probabilities.saturating_add(row as u64));
    // Values whose width is no whole number of lanes are packed by each head.
    let packed = match c.head_dim % LANES {
        0 => 0,
        _ => (c.heads * c.head_dim.next_multiple_of(PANEL as usize)) as u64,
    };
    let shares = (threads as u64).max(2);
    let left = (threads as u64).saturating_mul(PACKED_LEFT);
    VALUE
        .saturating_mul(memory.saturating_add(rows))
        .saturating_add(shares.saturating_mul(VALUE * padded).saturating_mul(packed))
        .saturating_add(left)
}

/// Making or checking an answer in a session of `positions` tokens: parts of logits, candidates, leaves.
fn answer(config: &ModelConfig, positions: u64, threads: usize) -> u64 {
    let rows = ROWS as u64;
    let part = VALUE * rows * config.vocab.min(COLUMNS) as u64;
    let most = (config.vocab as u64).max(CANDIDATES as u64);
    let candidates = most.min(rows.saturating_mul(config.vocab as u64));
    let candidate = size_of::<Candidate>() as u64;
    let leaves = positions.saturating_mul(config.layers as u64 + 1);
    session(config, positions, threads)
        .saturating_add(part.saturating_mul(threads as u64))
        // They grow as vectors do. Of a row at a time, top-p takes their probabilities, and the leaf's bytes are written.
        .saturating_add(2 * candidate * candidates + 3 * candidate * config.vocab as u64)
        .saturating_add(leaves.saturating_mul(LEAF))
}

/// Bytes that a file's model takes at most while it is loaded and answers of at most `positions` tokens, prompt
/// included, are made or checked on so many threads. Its tokenizer is not counted.
pub fn serving(file: &ModelFile, positions: usize, threads: usize) -> Result<u64> {
    let mut weights = 0u64;
    for part in file.parts() {
        let (n, k) = file.shape(part)?;
        let bytes = match file.element(part)? {
            ElementType::Block(format) => QuantMatrix::size(format, n, k)? as u64,
            _ => VALUE * (n as u64).next_multiple_of(PANEL).saturating_mul(k as u64),
        };
        weights = weights.saturating_add(bytes);
    }
    let positions = positions.min(file.config().context) as u64;
    Ok(weights
        .saturating_add(answer(file.config(), positions, threads))
        .saturating_add(LOADING)
        .saturating_add(BASIS))
}

fn generate(spec: &GenerateSpec, threads: usize) -> u64 {
    let a = &spec.architecture;
    let positions = u64::from(a.context).min(spec.prompt.len() as u64 + u64::from(MAX_TOKENS));
    // A tokenizer takes about this many times its file.
    let tokenizer = if a.vocab == 256 { 0 } else { 8 * MAX_TOKENIZER as u64 };
    model(a)
        .saturating_add(answer(&config(a), positions, threads))
        .saturating_add(tokenizer)
}

fn corpus(corpus: &Corpus) -> u64 {
    corpus
        .shards
        .iter()
        .fold(0, |sum, shard| shard.bytes.saturating_add(sum))
}

/// Base, state, gradient and their bytes, both packings, the tapes.
fn train(spec: &TrainSpec, keep: Keep) -> u64 {
    let (architecture, recipe) = (&spec.architecture, &spec.recipe);
    let shape = Shape::new(architecture);
    let rows = recipe.sequence as usize;
    let layers = architecture.layers as usize;
    let tape = VALUE.saturating_mul(Tape::values(&shape, layers, rows, keep));
    model(architecture)
        .saturating_add(parameters(architecture).saturating_mul(4 + 6 + 3))
        .saturating_add(packed(architecture).saturating_mul(2))
        .saturating_add(tape.saturating_mul(recipe.batch.into()))
        .saturating_add(compress::most_bytes(architecture, recipe.compression))
        .saturating_add(corpus(&spec.corpus))
}

/// Two models and one session for each thread.
fn evaluate(architecture: &Architecture, recipe: &Recipe, data: &Corpus, threads: usize) -> u64 {
    // The logits of the rows that are read together.
    let logits = VALUE * (TOGETHER as u64).saturating_mul(architecture.vocab.into());
    let session = session(&config(architecture), recipe.sequence.into(), threads);
    let session = session.saturating_add(logits);
    model(architecture)
        .saturating_mul(2)
        .saturating_add(session.saturating_mul(threads as u64))
        .saturating_add(compress::most_bytes(architecture, recipe.compression))
        .saturating_add(corpus(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agorai_primitives::{
        job::{Profile, TrainSpec},
        BlobId,
    };

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
        let all = train(&spec, Keep::All) + BASIS;
        let least = needed(&JobSpec::Train(spec.clone()), 2);
        assert!((50 << 20..300 << 20).contains(&all), "{all}");
        assert!(least < all, "{least}");
        assert_eq!(keep(&spec, all), Keep::All);
        assert_eq!(keep(&spec, all - 1), Keep::Streams);
        spec.recipe.sequence = 1 << 15;
        spec.recipe.batch = 1024;
        assert!(needed(&JobSpec::Train(spec), 2) > 1 << 42);
    }
}
