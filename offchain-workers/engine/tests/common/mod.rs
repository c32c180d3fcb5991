// SPDX-License-Identifier: Apache-2.0
//! Rounds and engines for tests.
#![allow(dead_code)]

pub mod models;
pub mod reference;

use agorai_engine::{BlobAccess, Engine, EngineConfig, MemoryBlobs, Progress, Weights};
use agorai_exact::Isa;
use agorai_primitives::{
    job::*,
    model::Architecture,
    training::{Compression, Contribution, Corpus, Recipe},
    BlobId, Shard,
};
use sp_core::H256;

/// A model small enough for scalar code, with grouped-query attention and widths that are not multiples of 32.
pub const TINY: Architecture = Architecture {
    vocab: 256,
    dim: 24,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    ff: 40,
    context: 64,
    rope_theta: 10_000,
};

/// A round small enough for scalar code.
pub const SHORT: Recipe = Recipe {
    inner_steps: 4,
    segment_steps: 2,
    batch: 2,
    sequence: 16,
    rate_micros: 5_000,
    warmup_steps: 1,
    held_out: 4,
    compression: Compression::TopK { top: 512 },
    outer_rate_micros: 1_000_000,
};

/// Engines with various threads and instruction sets, which must agree.
pub fn engines() -> Vec<(&'static str, Engine)> {
    let engine = |threads, isa| {
        Engine::new(EngineConfig {
            threads,
            isa,
            ..EngineConfig::default()
        })
    };
    vec![
        ("1 thread, scalar", engine(1, Some(Isa::Scalar))),
        ("2 threads, AVX2", engine(2, Some(Isa::Avx2))),
        ("3 threads, AVX-512", engine(3, Some(Isa::Avx512))),
        ("8 threads, detected", engine(8, None)),
    ]
}

/// An engine with the default configuration.
pub fn engine() -> Engine {
    Engine::new(EngineConfig::default())
}

/// Runs a job to its result.
pub fn run(engine: &Engine, blobs: &dyn BlobAccess, spec: JobSpec) -> JobResult {
    engine
        .perform(&spec, blobs, &Progress::new())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Text with enough structure to learn.
pub fn text(bytes: usize) -> Vec<u8> {
    let verses = [
        "the square belongs to those who meet in it. ",
        "what is said in the agora is heard by all. ",
        "many small voices make one good decision. ",
    ];
    let mut text = String::new();
    for index in 0.. {
        text.push_str(verses[index * index % 3]);
        text.push_str(&format!("{index} "));
        if text.len() >= bytes {
            break;
        }
    }
    text.into_bytes()
}

/// A training round: everything that its jobs share.
pub struct Round {
    pub blobs: MemoryBlobs,
    pub architecture: Architecture,
    pub recipe: Recipe,
    pub base: BlobId,
    pub corpus: Corpus,
    pub workers: u32,
}

impl Round {
    pub fn new(architecture: Architecture, recipe: Recipe, workers: u32) -> Self {
        let blobs = MemoryBlobs::default();
        let weights = Weights::init(&architecture, 1).unwrap();
        let base = blobs.put(&weights.to_safetensors()).unwrap();
        let shards = [20_000, 9_000].map(text).map(|text| Shard {
            blob: blobs.put(&text).unwrap(),
            bytes: text.len() as u64,
        });
        Self {
            blobs,
            architecture,
            recipe,
            base,
            corpus: Corpus {
                shards: shards.to_vec(),
            },
            workers,
        }
    }

    pub fn weights(&self) -> Weights {
        let bytes = self.blobs.get(&self.base).unwrap();
        Weights::from_safetensors(&self.architecture, &bytes).unwrap()
    }

    pub fn train_spec(&self, worker: u32) -> TrainSpec {
        TrainSpec {
            profile: Profile::ExactF32V1,
            architecture: self.architecture,
            base: self.base,
            recipe: self.recipe,
            corpus: self.corpus.clone(),
            seed: H256([7; 32]),
            steps_before: 0,
            steps_total: 3 * self.recipe.inner_steps,
            worker,
            workers: self.workers,
            error_feedback: None,
        }
    }

    pub fn train(&self, engine: &Engine, worker: u32) -> Contribution {
        self.train_from(engine, self.train_spec(worker))
    }

    pub fn train_from(&self, engine: &Engine, spec: TrainSpec) -> Contribution {
        match run(engine, &self.blobs, JobSpec::Train(spec)) {
            JobResult::Trained(contribution) => contribution,
            other => panic!("{other:?}"),
        }
    }

    pub fn audit(&self, engine: &Engine, worker: u32, contribution: &Contribution) -> Vec<bool> {
        (0..self.recipe.segments())
            .map(|segment| {
                let spec = AuditSpec {
                    train: self.train_spec(worker),
                    contribution: contribution.clone(),
                    segment,
                };
                match run(engine, &self.blobs, JobSpec::Audit(spec)) {
                    JobResult::Audited { matches } => matches,
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }

    pub fn score_spec(&self, payloads: &[(u32, BlobId)]) -> ScoreSpec {
        ScoreSpec {
            profile: Profile::ExactF32V1,
            architecture: self.architecture,
            base: self.base,
            recipe: self.recipe,
            corpus: self.corpus.clone(),
            seed: H256([7; 32]),
            draw: H256([8; 32]),
            workers: self.workers,
            contributions: payloads.to_vec(),
        }
    }

    pub fn score(&self, engine: &Engine, payloads: &[(u32, BlobId)]) -> JobResult {
        run(engine, &self.blobs, JobSpec::Score(self.score_spec(payloads)))
    }

    pub fn aggregate(&self, engine: &Engine, payloads: &[(u32, BlobId)]) -> JobResult {
        let score = self.score_spec(payloads);
        run(engine, &self.blobs, JobSpec::Aggregate(AggregateSpec { score }))
    }

    pub fn generate_spec(&self, prompt: &[u8], sampling: Sampling) -> GenerateSpec {
        GenerateSpec {
            nonce: 0,
            profile: Profile::ExactF32V1,
            architecture: self.architecture,
            weights: self.base,
            prompt: prompt.to_vec(),
            sampling,
        }
    }
}

/// Sampling with temperature, top-k and top-p.
pub const LIVELY: Sampling = Sampling {
    max_tokens: 20,
    temperature_milli: 800,
    top_k: 50,
    top_p_milli: 950,
    seed: 3,
    stop: None,
};
